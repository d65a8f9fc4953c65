"""Neuron modules of the frameworks, this package or the user -> their equation.

No framework is imported: its modules are known by the names of their classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tlm.workload.capture.beyond import is_beyond
from tlm.workload.capture.declared import Declared
from tlm.workload.capture.norse import norse_equation
from tlm.workload.capture.sinabs import sinabs_equation
from tlm.workload.capture.snntorch import snntorch_equation
from tlm.workload.capture.spikingjelly import spikingjelly_equation
from tlm.workload.model import Neuron

if TYPE_CHECKING:
    from torch.nn import Module

_FRAMEWORKS = (
    ("spikingjelly", ("BaseNode", "SimpleBaseNode"), spikingjelly_equation),
    ("snntorch", ("SpikingNeuron",), snntorch_equation),
    ("norse", ("SNNCell", "SNN", "SNNRecurrentCell", "SNNRecurrent"), norse_equation),
    ("sinabs", ("StatefulLayer",), sinabs_equation),
)
"""Package, base classes of its neurons, and what reads the equation of one."""


def equation_of(
    name: str, module: Module, declared: Mapping[type[Any], Declared]
) -> Declared | None:
    """The equation of ``module``, called ``name``, or None if it is no neuron.

    What is declared of a class holds for its subclasses too. Raises WorkloadError for a neuron of
    a framework whose equation is not known here.
    """
    kinds = type(module).__mro__
    own = next((declared[kind] for kind in kinds if kind in declared), None)
    if own is not None:
        return own
    if isinstance(neuron := getattr(module, "neuron", None), Neuron):
        return Declared(neuron)
    for package, bases, equation in _FRAMEWORKS:
        names = [kind.__name__ for kind in kinds if kind.__module__.startswith(package)]
        if any(each in bases or is_beyond(each) for each in names):
            return equation(name, module)
    return None
