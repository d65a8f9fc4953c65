"""Gradients of learnt numbers against autograd of the same equation, over random constants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlm.workload.golden.learnt import learnt_terms
from tlm.workload.golden.neuron import replay
from tlm.workload.learnt import LEARNT, with_numbers
from tlm.workload.model import Neuron
from tlm.workload.surrogate import lif_neuron

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tests.workload.nets.parts import Triangle  # noqa: E402

T, B, K = 5, 3, 4


def constants_of(neuron: Neuron, name: str, number: Any) -> dict[str, Any]:
    """Decay, gain, offset, threshold and reset value, as tensors that hang on ``number``."""
    constants: dict[str, Any] = {
        key: torch.tensor(getattr(neuron, key), dtype=torch.float64)
        for key in ("decay", "gain", "offset", "threshold", "reset_value")
    }
    if name in ("leak", "state_leak"):
        constants |= {"decay": 1 - number, "offset": number * neuron.initial}
        if name == "leak":
            constants["gain"] = number
    elif name == "threshold":
        constants["threshold"] = number
        if neuron.reset == "soft":
            constants["reset_value"] = number * (neuron.reset_value / neuron.threshold)
    else:
        constants["decay"] = number
        if name == "beta" and neuron.reset == "soft":
            constants["reset_value"] = neuron.threshold / number
    return constants


def spikes_of(neuron: Neuron, name: str, number: Any, currents: Any) -> Any:
    """The equation as its users write it, [T, B, K, 1, 1]."""
    terms = constants_of(neuron, name, number)
    membrane = torch.full_like(currents[0], neuron.initial)
    synaptic, spikes = torch.zeros_like(currents[0]), []
    for current in currents:
        synaptic = neuron.current_decay * synaptic + current
        charged = terms["decay"] * membrane + terms["gain"] * synaptic + terms["offset"]
        spike = Triangle.apply(charged - terms["threshold"])
        spikes.append(spike)
        reset = spike.detach() if neuron.detach_reset else spike
        if neuron.reset == "hard":
            membrane = (1 - reset) * charged + reset * terms["reset_value"]
        else:
            membrane = charged - reset * terms["reset_value"] * (neuron.reset == "soft")
    return torch.stack(spikes)


@given(
    name=st.sampled_from(LEARNT),
    reset=st.sampled_from(["hard", "soft", "none"]),
    flags=st.tuples(*[st.booleans()] * 3),
    initial=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 1000),
)
@example(name="leak", reset="hard", flags=(True, True, False), initial=0.25, seed=0)
def test_gradients_of_random_neurons(
    name: str, reset: Any, flags: tuple[bool, ...], initial: float, seed: int
) -> None:
    """Of the layer or of channels, current-based or not, through resets or not."""
    detach, by_channel, synaptic = flags
    draw = np.random.default_rng(seed)
    neuron = replace(
        lif_neuron(surrogate="triangular", width=2.0, gain=0.75, threshold=0.8),
        surrogate_peak=1.0, offset=initial * 0.5, initial=initial,
        reset=reset, reset_value=0.4 if reset == "soft" else 0.1, detach_reset=detach,
        current_decay=0.5 * synaptic, learnt=(name,), by_channel=by_channel,
    )  # fmt: skip
    number = draw.uniform(0.3, 0.9, K if by_channel else 1)
    currents, dS = draw.normal(0.6, 1.0, (T, B, K, 1, 1)), draw.normal(size=(T, B, K, 1, 1))
    leaf = torch.tensor(number.reshape(-1, 1, 1), requires_grad=True)
    spikes = spikes_of(neuron, name, leaf, torch.tensor(currents))
    spikes.backward(torch.tensor(dS))
    used = with_numbers(neuron, {name: number})
    rebuilt = replay(used, currents, dS)
    np.testing.assert_array_equal(rebuilt.spikes, spikes.detach().numpy() != 0)
    terms = learnt_terms(used, name, rebuilt.potential, rebuilt.spikes, rebuilt.dI)
    gradient = terms.sum((0, 1, 3, 4)) if by_channel else [terms.sum()]
    np.testing.assert_allclose(gradient, leaf.grad.numpy().reshape(-1), rtol=1e-9, atol=1e-9)
