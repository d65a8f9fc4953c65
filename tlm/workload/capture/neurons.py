"""Neuron modules of SpikingJelly 2.x, snnTorch 1.x, this package or the user -> their equation.

Neither framework is imported: its modules are known by the names of their classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tlm.errors import WorkloadError
from tlm.workload.capture.probe import SpikeFunction, Surrogate, measure
from tlm.workload.model import Neuron
from tlm.workload.surrogate import Slope

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class Declared:
    """A neuron layer's equation; ``slope`` is None if the surrogate has a closed form.

    ``state`` returns the membrane potential before the first step, given the module and the
    arguments of its call, or None if it starts at rest.
    """

    neuron: Neuron
    slope: Slope | None = None
    state: Callable[[Any, tuple[Any, ...]], Any] | None = None
    remedy: str = ""


# Public and called by keyword: every argument is one term of the equation.
def declare(
    *,
    spike: SpikeFunction,
    decay: float,
    gain: float = 1.0,
    threshold: float = 1.0,
    reset: Literal["hard", "soft", "none"] = "hard",
    detach_reset: bool = True,
    reset_value: float | None = None,
    offset: float = 0.0,
    initial: float = 0.0,
    current_decay: float = 0.0,
) -> Declared:
    """Declare the equation of a neuron of your own, for ``Capture(neurons={MyNeuron: ...})``.

    ``H[t] = decay V[t-1] + gain I[t] + offset``, where with ``current_decay`` the synaptic current
    ``J[t] = current_decay J[t-1] + I[t]`` stands for I; ``spike`` maps H - threshold to spikes
    (the ``apply`` of your autograd function); see ``tlm.workload.Neuron`` for the rest. Raises
    WorkloadError if ``spike`` is no step function with a surrogate gradient.
    """
    surrogate = measure("declare(spike=...)", spike)
    if reset_value is None:
        reset_value = threshold if reset == "soft" else 0.0
    neuron = Neuron(
        decay=decay,
        gain=gain,
        threshold=threshold,
        reset=reset,
        detach_reset=detach_reset,
        surrogate=surrogate.name,
        surrogate_width=surrogate.width,
        surrogate_peak=surrogate.peak,
        compact=surrogate.compact,
        reset_value=reset_value,
        offset=offset,
        initial=initial,
        fires_at_threshold=surrogate.fires_at_threshold,
        current_decay=current_decay,
    )
    return Declared(neuron, _open_slope(surrogate))


def equation_of(
    name: str, module: Module, declared: Mapping[type[Any], Declared]
) -> Declared | None:
    """The equation of ``module``, called ``name``, or None if it is no neuron.

    Raises WorkloadError for a neuron of a framework whose equation is not known here.
    """
    if type(module) in declared:
        return declared[type(module)]
    if isinstance(neuron := getattr(module, "neuron", None), Neuron):
        return Declared(neuron)
    for base, equation in (("BaseNode", _spikingjelly), ("SpikingNeuron", _snntorch)):
        if any(_is(kind, base) for kind in type(module).__mro__):
            return equation(name, module)
    return None


def _is(kind: type[Any], base: str) -> bool:
    package = {"BaseNode": "spikingjelly", "SpikingNeuron": "snntorch"}[base]
    return kind.__name__ in (base, f"Simple{base}") and kind.__module__.startswith(package)


def _spikingjelly(name: str, module: Any) -> Declared:
    """H = V + (I - (V - v_reset)) / tau, or with I whole; v_reset None means a soft reset."""
    kind = type(module).__name__
    if kind not in ("LIFNode", "IFNode", "SimpleLIFNode", "SimpleIFNode"):
        raise _inexpressible(name, kind, "LIFNode")
    surrogate = measure(f"{name}.surrogate_function", module.surrogate_function)
    hard = module.v_reset is not None
    rest = float(module.v_reset) if hard else 0.0
    leak = 1 / float(module.tau) if "LIF" in kind else 0.0
    gain = leak if leak and module.decay_input else 1.0
    neuron = Neuron(
        decay=1 - leak,
        gain=gain,
        threshold=_scalar(f"{name}.v_threshold", module.v_threshold),
        reset="hard" if hard else "soft",
        detach_reset=bool(module.detach_reset),
        surrogate=surrogate.name,
        surrogate_width=surrogate.width,
        surrogate_peak=surrogate.peak,
        compact=surrogate.compact,
        reset_value=rest if hard else float(module.v_threshold),
        offset=rest * leak,
        initial=rest,
        fires_at_threshold=surrogate.fires_at_threshold,
    )
    remedy = "call functional.reset_net(net) before each mini-batch"
    return Declared(neuron, _open_slope(surrogate), lambda node, _: node.v, remedy)


def _snntorch(name: str, module: Any) -> Declared:
    """H[t] = beta H[t-1] + I[t], reset by the spike of the step before, never differentiated."""
    kind = type(module).__name__
    if kind != "Leaky":
        raise _inexpressible(name, kind, "Leaky")
    options = [key for key in ("inhibition", "state_quant", "surrogate_disable")
               if getattr(module, key)]  # fmt: skip
    if options or not module.reset_delay:
        option = f"{options[0]}={getattr(module, options[0])}" if options else "reset_delay=False"
        raise WorkloadError(f"{name}: Leaky with {option} is not modelled; leave the option out")
    if _scalar(f"{name}.graded_spikes_factor", module.graded_spikes_factor) != 1:
        raise WorkloadError(f"{name}: expected spikes of 0 and 1; use graded_spikes_factor=1")
    beta = min(1.0, max(0.0, _scalar(f"{name}.beta", module.beta)))
    threshold = _scalar(f"{name}.threshold", module.threshold)
    soft = module.reset_mechanism == "subtract"
    if soft and not beta:
        raise WorkloadError(
            f"{name}: beta = 0 with reset by subtraction is not known; use beta > 0"
        )
    surrogate = measure(f"{name}.spike_grad", module.spike_grad)
    words: dict[str, Any] = {"subtract": "soft", "zero": "hard", "none": "none"}
    neuron = Neuron(
        decay=beta,
        gain=1.0,
        threshold=threshold,
        reset=words[module.reset_mechanism],
        detach_reset=True,
        surrogate=surrogate.name,
        surrogate_width=surrogate.width,
        surrogate_peak=surrogate.peak,
        compact=surrogate.compact,
        reset_value=threshold / beta if soft else 0.0,
        fires_at_threshold=surrogate.fires_at_threshold,
    )
    remedy = "start each mini-batch from reset_mem(), or call utils.reset(net)"
    return Declared(neuron, _open_slope(surrogate), _snntorch_state, remedy)


def _snntorch_state(module: Any, arguments: tuple[Any, ...]) -> Any:
    return arguments[1] if len(arguments) > 1 and arguments[1] is not None else module.mem


def _open_slope(surrogate: Surrogate) -> Slope | None:
    """The slope of a surrogate without closed form, else None."""
    return surrogate.slope if surrogate.name == "other" else None


def _scalar(where: str, value: Any) -> float:
    if getattr(value, "requires_grad", False):
        raise WorkloadError(f"{where}: expected a constant, got one that is learnt; fix its value")
    if getattr(value, "numel", lambda: 1)() != 1:
        raise WorkloadError(f"{where}: expected one number for the layer, got a tensor; use one")
    return float(value)


def _inexpressible(name: str, kind: str, plain: str) -> WorkloadError:
    """Why a job cannot hold a framework's neuron, where its kind says so."""
    form = (
        "H[t] = decay V[t-1] + gain J[t] + offset with J[t] = current_decay J[t-1] + I[t] and "
        "constant numbers"
    )
    for reason, kinds in _BEYOND.items():
        if kind in kinds:
            return WorkloadError(
                f"{name}: {kind} {reason}; a job's neuron is {form}, which cannot express that, "
                f"declared or not; use {plain}"
            )
    return WorkloadError(
        f"{name}: the equation of {kind} is not known; a job's neuron is {form}: if that is what "
        f"{kind} does, declare it: Capture(net, steps=T, neurons={{{kind}: declare(decay=..., "
        f"spike=...)}}); else use {plain}"
    )


_BEYOND = {
    "keeps two synaptic currents": ("Alpha",),
    "feeds its spikes back to itself": ("RLeaky", "RSynaptic"),
    "is a gated recurrent cell": ("SLSTM", "SConv2dLSTM"),
    "learns parameters of its own": (
        "ParametricLIFNode", "KLIFNode", "GatedLIFNode", "MPBNBaseNode", "MPBNLIFNode",
    ),
    "has a second variable that adapts or resonates": (
        "AdaptBaseNode", "IzhikevichNode", "ComplementaryLIFNode", "RAFNode",
    ),
    "is not linear below its threshold": ("QIFNode", "EIFNode"),
    "fires other values than 0 and 1": ("TernaryIFNode", "ILIFNode", "LIAFNode"),
    "is trained without back-propagation through time": ("OTTTLIFNode", "SLTTLIFNode"),
}  # fmt: skip
"""What a neuron of this form cannot express, and who has it."""
