"""Hold what a layer reads against the layers it is made of."""

from __future__ import annotations

from math import prod
from pathlib import Path

from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.held import Held
from tlm.workload.input_kind import leaves_spikes
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Shape3, input_frame
from tlm.workload.operand import Factor, Operand, Window, shape_behind


def check_read(
    path: Path, key: str, read: Layer | Held, index: int, layers: tuple[Layer, ...]
) -> Shape3:
    """Shape (C, H, W) of what is ``read`` of layers as input of layer ``index``, or held by it.

    Before any ``input_pool``. Raises WorkloadError naming the first layer, part, term or gate that
    does not fit.
    """
    if read.operand is not None:
        return _check_operand(path, f"{key}.operand", read.operand, index, layers)
    shapes = [layers[source].pooled_shape for source in read.sources]
    if any(shape != shapes[0] for shape in shapes):
        raise fault(path, f"{key}.sources", "layers of one shape", shapes, REMEDY)
    return shapes[0]


def _check_operand(
    path: Path, key: str, operand: Operand, index: int, layers: tuple[Layer, ...]
) -> Shape3:
    planes = None
    for at, part in enumerate(operand.parts):
        for number, term in enumerate(part.terms):
            here = f"{key}[{at}].terms[{number}]"
            for which, factor in enumerate(term.factors):
                place = f"{here}.gates[{which - 1}]" if which else here
                shape = _shape_of(path, place, factor, index, layers)
                planes = planes or shape[1:]
                if shape != (part.channels, *planes):
                    expected = f"{(part.channels, *planes)}, as the other terms"
                    raise fault(path, place, expected, shape, REMEDY)
            for which, gate in enumerate(term.gates):
                if NETWORK_INPUT in (gate.source, term.source) or not leaves_spikes(gate, layers):
                    expected = "spikes of a layer through windows and max pools, on those of layers"
                    raise fault(path, f"{here}.gates[{which}]", expected, gate.source, REMEDY)
    if planes is None:
        raise fault(path, key, "a part with terms", "none", REMEDY)
    return (operand.channels, *planes)


def _shape_of(
    path: Path, key: str, factor: Factor, index: int, layers: tuple[Layer, ...]
) -> Shape3:
    if factor.source >= (len(layers) if factor.delay else index):
        expected = f"a layer in 0..{len(layers) - 1}, with a delay from {index} on"
        raise fault(path, f"{key}.source", expected, factor.source, REMEDY)
    if factor.source == NETWORK_INPUT:
        if not factor.way or not isinstance(factor.way[0], Window) or factor.delay:
            expected = "a window first, and no delay, on the network's input"
            raise fault(path, key, expected, "another term", REMEDY)
        shape = input_frame(layers)
    else:
        shape = layers[factor.source].pooled_shape
    for at, step in enumerate(factor.way):
        behind = shape_behind((step,), shape)
        if isinstance(step, Window) and prod(step.shape) != prod(shape):
            expected = f"a shape of the {prod(shape)} elements of {shape}"
            raise fault(path, f"{key}.way[{at}].shape", expected, step.shape, REMEDY)
        if min(behind) < 1 or (isinstance(step, Pool) and not step.fits(shape)):
            raise fault(path, f"{key}.way[{at}]", f"to fit {shape}", behind, REMEDY)
        shape = behind
    return shape
