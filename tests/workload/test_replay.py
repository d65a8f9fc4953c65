"""The NumPy golden model of a neuron layer: by hand, and against torch's autograd."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.golden.neuron import carried, from_membrane, near_edge, potentials, replay
from tlm.workload.model import Neuron
from tlm.workload.surrogate import COMPACT, derivative, lif_neuron

LIF = lif_neuron()


def column(*values: float) -> np.ndarray:
    """One neuron over time, [T, 1, 1, 1, 1]."""
    return np.array(values, np.float32).reshape(-1, 1, 1, 1, 1)


def test_three_steps_by_hand() -> None:
    """H = I/2 + V/2: 0.8, then 1.4 (spike, reset), then 0.2; gradient carried to t = 0 alone."""
    rebuilt = replay(LIF, column(1.6, 2.0, 0.4), column(0.0, 1.0, 1.0))
    assert rebuilt.spikes.reshape(-1).tolist() == [False, True, False]
    assert rebuilt.masks.reshape(-1).tolist() == [True, True, False]
    # gH = [0.5 * 1, 1, 0]: at t = 2 the mask is zero, at t = 1 nothing is carried past the spike.
    assert rebuilt.dI.reshape(-1).tolist() == [0.25, 0.5, 0.0]


def test_soft_reset_by_hand() -> None:
    """A soft reset keeps 0.4 of 1.4, and lets the gradient of the next step past the spike."""
    rebuilt = replay(lif_neuron(reset="soft"), column(2.8, 1.6), column(0.0, 1.0))
    assert rebuilt.spikes.reshape(-1).tolist() == [True, True]
    assert rebuilt.dI.reshape(-1).tolist() == [0.25, 0.5]


def test_rest_and_reset_potentials_by_hand() -> None:
    """From rest at -0.2, pulled back to it by its leak: H = -0.2 + 0.6, then 1.4, then -0.2."""
    neuron = replace(LIF, reset_value=-0.2, offset=-0.1, initial=-0.2)
    rebuilt = replay(neuron, column(1.0, 2.6, -0.2), column(0.0, 0.0, 0.0))
    assert rebuilt.potential.reshape(-1).tolist() == pytest.approx([0.3, 1.35, -0.3])


def test_no_reset_by_hand() -> None:
    """Without a reset the potential of a spike stays."""
    neuron = replace(LIF, reset="none", gain=1.0)
    rebuilt = replay(neuron, column(2.0, 1.0), column(0.0, 1.0))
    assert rebuilt.potential.reshape(-1).tolist() == [2.0, 2.0]


def test_synaptic_current_by_hand() -> None:
    """Half of the current is left a step later: H = 1, then 0.5 + 0.5 (no reset, no spike)."""
    neuron = replace(LIF, reset="none", gain=1.0, current_decay=0.5, threshold=9.0)
    rebuilt = replay(neuron, column(1.0, 0.0), column(0.0, 1.0), slope=np.ones_like)
    assert rebuilt.potential.reshape(-1).tolist() == [1.0, 1.0]
    # dU = [0.5, 1]; dI = [0.5 + 0.5 * 1, 1]: through the membrane, and through the current.
    assert rebuilt.dI.reshape(-1).tolist() == [1.0, 1.0]
    assert from_membrane(neuron, rebuilt.dI).reshape(-1).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_share_is_as_precise_as_the_replay(
    reset: Literal["hard", "soft", "none"], precision: type
) -> None:
    """Of spikes in float32 it is in float32: wider, it would widen all that is carried back."""
    share = carried(replace(LIF, reset=reset), np.array([0, 1], precision))
    assert share.dtype == precision
    assert share.tolist() == [1, 0 if reset == "hard" else 1]


@given(
    decay=st.floats(0, 1),
    current_decay=st.floats(0, 1),
    reset=st.sampled_from(["hard", "soft", "none"]),
    seed=st.integers(0, 99),
)
def test_gradient_of_a_synaptic_current_by_differences(
    decay: float, current_decay: float, reset: Literal["hard", "soft", "none"], seed: int
) -> None:
    """With given spikes H is linear in I: dI is how the sum of dS H answers to a change of I."""
    neuron = replace(LIF, decay=decay, current_decay=current_decay, reset=reset)
    draw = np.random.default_rng(seed)
    current, change, dS = draw.standard_normal((3, 8, 1, 4, 1, 1))
    spikes = draw.random(current.shape) < 0.3
    dI = replay(neuron, current, dS, spikes=spikes, slope=np.ones_like).dI
    moved = potentials(neuron, current + change, spikes) - potentials(neuron, current, spikes)
    assert np.vdot(dI, change) == pytest.approx(np.vdot(dS, moved), rel=1e-9, abs=1e-9)


def test_threshold_itself_spikes() -> None:
    """H equal to the threshold is a spike, unless the neuron fires above it alone."""
    assert replay(LIF, column(2.0), column(0.0)).spikes.all()
    above = replace(LIF, fires_at_threshold=False)
    assert not replay(above, column(2.0), column(0.0)).spikes.any()


def test_recorded_spikes_drive_the_reset() -> None:
    """Forced spikes reset the membrane; the rebuilt ones are reported all the same."""
    forced = np.array([True, False]).reshape(-1, 1, 1, 1, 1)
    rebuilt = replay(LIF, column(1.8, 1.4), column(0.0, 0.0), spikes=forced)
    assert rebuilt.potential.reshape(-1).tolist() == pytest.approx([0.9, 0.7])
    assert not rebuilt.spikes.any()


def test_recorded_masks_decide_at_the_edge_alone() -> None:
    """Within rounding of a rectangle's edge the recorded mask holds, elsewhere the equation."""
    current = column(3.0 + 2e-6, 0.0)
    forced = np.array([True, True]).reshape(-1, 1, 1, 1, 1)
    assert near_edge(LIF, replay(LIF, current, current).potential)[0].all()
    rebuilt = replay(LIF, current, column(1.0, 1.0), masks=forced)
    assert rebuilt.masks.reshape(-1).tolist() == [True, False]


@pytest.mark.parametrize("surrogate", COMPACT)
def test_surrogate_has_its_area_and_support(surrogate: str) -> None:
    """Each has area 1 (fast-sigmoid: peak times width); a compact one ends at half its width."""
    neuron = lif_neuron(surrogate=surrogate, width=0.5)
    points = np.linspace(-400, 400, 1_600_001)
    slope = derivative(neuron, points)
    assert slope.sum() * 0.0005 == pytest.approx(1, abs=4e-3)
    assert bool((slope[np.abs(points) > 0.2501] == 0).all()) == COMPACT[surrogate]
    assert derivative(neuron, np.zeros(1))[0] == neuron.surrogate_peak


def test_unknown_surrogate_is_refused() -> None:
    """A name without a closed form cannot be rebuilt, nor asked for."""
    with pytest.raises(WorkloadError, match="expected one of rectangular"):
        derivative(replace(LIF, surrogate="other"), np.zeros(1))
    with pytest.raises(WorkloadError, match="choose one of them"):
        lif_neuron(surrogate="relu")


NEURONS = [
    lif_neuron(reset=reset, detach_reset=detach, surrogate=name)
    for reset in ("hard", "soft")
    for detach in (True, False)
    for name in ("rectangular", "triangular", "arctangent")
]


@pytest.mark.parametrize(
    "neuron", NEURONS, ids=lambda neuron: f"{neuron.reset}-{neuron.detach_reset}-{neuron.surrogate}"
)
def test_equals_autograd(neuron: Neuron) -> None:
    """Spikes equal torch's and dL/dI agrees, for each reset, detached or not, each surrogate."""
    torch = pytest.importorskip("torch", reason="needs the extra 'capture'")
    from tlm.workload.training.lif import LIF as TorchLif

    draw = np.random.default_rng(5)
    current = (2 * draw.standard_normal((6, 3, 4, 5, 5)) + 0.5).astype(np.float32)
    dS = draw.standard_normal(current.shape).astype(np.float32)
    leaf = torch.from_numpy(current.copy()).requires_grad_()
    spikes = TorchLif(neuron)(leaf)
    spikes.backward(torch.from_numpy(dS))
    rebuilt = replay(neuron, current, dS)
    assert np.array_equal(rebuilt.spikes, spikes.detach().numpy() != 0)
    largest = np.abs(leaf.grad.numpy()).max()
    assert np.abs(rebuilt.dI - leaf.grad.numpy()).max() <= 1e-6 * largest
    assert np.array_equal(rebuilt.dI != 0, leaf.grad.numpy() != 0)
