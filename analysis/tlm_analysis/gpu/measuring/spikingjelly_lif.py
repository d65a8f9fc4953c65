"""SpikingJelly's LIF neurons for a job's parameters, old and new versions (torch)."""

from __future__ import annotations

import inspect

from spikingjelly.activation_based import neuron as library
from spikingjelly.activation_based import surrogate
from torch import Tensor, nn

from tlm.errors import WorkloadError
from tlm.workload.model import Neuron

# Its parameter alpha by our width: ATan has slope alpha / 2 at the threshold, PiecewiseQuadratic
# the support 2 / alpha. Rect has no fused kernel: the triangle of the same support stands in.
_SURROGATES = {
    "arctangent": surrogate.ATan,
    "triangular": surrogate.PiecewiseQuadratic,
    "rectangular": surrogate.PiecewiseQuadratic,
}


class FusedLif(nn.Module):
    """LIF over all steps, at rest before each call."""

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        _check(neuron)
        arguments = {
            "tau": 1 / (1 - neuron.decay),
            "decay_input": neuron.gain != 1,
            "v_threshold": neuron.threshold,
            "v_reset": 0.0 if neuron.reset == "hard" else None,
            "surrogate_function": _SURROGATES[neuron.surrogate](2 / neuron.surrogate_width),
            "detach_reset": neuron.detach_reset,
            "step_mode": "m",
        }
        if "backend" in inspect.signature(library.LIFNode).parameters:
            arguments["backend"] = "cupy"  # from 2.0 on, a GPU has its fused kernel unasked
        self.node = library.LIFNode(**arguments)

    def forward(self, currents: Tensor) -> Tensor:
        """Spikes [T, B, ...] of input currents, same shape."""
        self.node.reset()
        spikes: Tensor = self.node(currents)
        return spikes


def _check(neuron: Neuron) -> None:
    """SpikingJelly knows H = V + (I - V) / tau and H = V - V / tau + I, from rest at 0."""
    gain_fits = abs(neuron.gain - (1 - neuron.decay)) < 1e-9 or neuron.gain == 1
    plain = neuron.fires_at_threshold and not (
        neuron.offset or neuron.initial or neuron.current_decay
    )
    resets = {"hard": neuron.reset_value == 0, "soft": neuron.reset_value == neuron.threshold}
    known = neuron.surrogate in _SURROGATES and resets.get(neuron.reset, False)
    if not (gain_fits and plain and known):
        raise WorkloadError(
            f"fused neurons: expected SpikingJelly's LIF (gain 1 - decay or 1, reset to 0 or by "
            f"the threshold) with surrogate {', '.join(_SURROGATES)}, got {neuron}; "
            "choose --neuron unfused"
        )
