"""The NumPy golden model of a neuron layer: by hand, and against torch's autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tlm.errors import WorkloadError
from tlm.workload.model import Neuron
from tlm.workload.recipe import LIF, Dense, stack
from tlm.workload.replay import replay, verify
from tlm.workload.surrogate import COMPACT, derivative


def column(*values: float) -> np.ndarray:
    """One neuron over time, [T, 1, 1, 1, 1]."""
    return np.array(values, np.float32).reshape(-1, 1, 1, 1, 1)


def test_three_steps_by_hand() -> None:
    """H = I/2 + V/2: 0.8, then 1.4 (spike, reset), then 0.2; gradient carried to t = 0 alone."""
    rebuilt = replay(LIF, column(1.6, 2.0, 0.4), column(0.0, 1.0, 1.0))
    assert rebuilt.spikes.reshape(-1).tolist() == [False, True, False]
    assert rebuilt.mask.reshape(-1).tolist() == [True, True, False]
    # gH = [0.5 * 1, 1, 0]: at t = 2 the mask is zero, at t = 1 nothing is carried past the spike.
    assert rebuilt.current_gradient.reshape(-1).tolist() == [0.25, 0.5, 0.0]


def test_soft_reset_by_hand() -> None:
    """A soft reset keeps 0.4 of 1.4, and lets the gradient of the next step past the spike."""
    soft = replace(LIF, reset="soft")
    rebuilt = replay(soft, column(2.8, 1.6), column(0.0, 1.0))
    assert rebuilt.spikes.reshape(-1).tolist() == [True, True]
    assert rebuilt.current_gradient.reshape(-1).tolist() == [0.25, 0.5]


def test_threshold_itself_spikes() -> None:
    """H equal to the threshold is a spike."""
    assert replay(LIF, column(2.0), column(0.0)).spikes.all()


@pytest.mark.parametrize("surrogate", COMPACT)
def test_surrogate_has_area_one(surrogate: str) -> None:
    """Each derivative integrates to 1; a compact one is zero outside of its width."""
    neuron = replace(LIF, surrogate=surrogate, surrogate_width=0.5, compact=COMPACT[surrogate])
    points = np.linspace(-400, 400, 1_600_001, dtype=np.float32)
    slope = derivative(neuron, points)
    assert float(slope.astype(np.float64).sum() * 0.0005) == pytest.approx(1, abs=2e-3)
    assert bool((slope[np.abs(points) > 0.2501] == 0).all()) == COMPACT[surrogate]


def test_verify_names_the_layer() -> None:
    """A wrong neuron description is reported with the layer it belongs to."""
    (layer,) = stack((1, 1, 1), (Dense(1),), LIF)
    true = replay(LIF, column(1.6, 2.0, 0.4), column(0.0, 1.0, 1.0))
    verify(layer, true, true.spikes, true.current_gradient)
    other = replay(replace(LIF, gain=0.2), column(1.6, 2.0, 0.4), column(0.0, 1.0, 1.0))
    with pytest.raises(WorkloadError, match=r"layer 0 \(fc0\): 1 of 3 recorded spikes differ"):
        verify(layer, other, true.spikes, true.current_gradient)
    with pytest.raises(WorkloadError, match=r"layer 0 \(fc0\): dL/dI differs"):
        verify(layer, true, true.spikes, 2 * true.current_gradient)


NEURONS = [
    replace(LIF, reset=reset, detach_reset=detach, surrogate=name, compact=COMPACT[name])
    for reset in ("hard", "soft")
    for detach in (True, False)
    for name in COMPACT
]


@pytest.mark.parametrize(
    "neuron", NEURONS, ids=lambda one: f"{one.reset}-{one.detach_reset}-{one.surrogate}"
)
def test_equals_autograd(neuron: Neuron) -> None:
    """Spikes equal torch's and dL/dI agrees, for each reset, detached or not, each surrogate."""
    torch = pytest.importorskip("torch", reason="needs the extra 'capture'")
    from tlm.workload.network import lif

    draw = np.random.default_rng(5)
    current = (2 * draw.standard_normal((6, 3, 4, 5, 5)) + 0.5).astype(np.float32)
    spike_gradient = draw.standard_normal(current.shape).astype(np.float32)
    leaf = torch.from_numpy(current.copy()).requires_grad_()
    spikes = lif(neuron, leaf)
    spikes.backward(torch.from_numpy(spike_gradient))
    (layer,) = stack((1, 1, 1), (Dense(1),), neuron)
    rebuilt = replay(neuron, current, spike_gradient)
    verify(layer, rebuilt, spikes.detach().numpy() != 0, leaf.grad.numpy())
    assert np.array_equal(rebuilt.current_gradient != 0, leaf.grad.numpy() != 0)
