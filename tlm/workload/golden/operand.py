"""What layers read, put together of what others leave, and the way back of its gradient.

Outputs and gradients are [T, B, C, H, W]. ``Outputs`` are by layer index, behind the layer's pool,
and -1 the network's input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from math import prod
from typing import TypeAlias

import numpy as np

from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.model import NETWORK_INPUT, Pool
from tlm.workload.operand import Factor, Line, Part, Reads, Step, Term, Window
from tlm.workload.values import Numbers

Outputs: TypeAlias = Mapping[int, Numbers]


def summed(layer: Reads, outputs: Outputs, steps: slice = slice(None)) -> Numbers:
    """What ``layer`` reads in ``steps``, before its ``input_pool``."""
    if layer.operand is None:
        return reduce(np.add, (outputs[source][steps] for source in layer.sources))
    sums = [_sum(part, outputs, steps) for part in layer.operand.parts]
    known = next(values for values in sums if values is not None)
    frames, plane = known.shape[:2], known.shape[3:]
    filled = [
        np.zeros((*frames, part.channels, *plane), known.dtype) if values is None else values
        for part, values in zip(layer.operand.parts, sums, strict=True)
    ]
    return np.concatenate(filled, axis=2)


def source_gradients(
    layer: Reads, outputs: Outputs, gradient: Numbers
) -> Iterator[tuple[int, Numbers]]:
    """What each source of ``layer`` receives of the ``gradient`` at what it reads.

    Term by term: of a product each factor receives it where, and as often as, the others let it
    pass, and an inverted one its negative.
    """
    if layer.operand is None:
        yield from ((source, gradient) for source in layer.sources)
        return
    start = 0
    for part in layer.operand.parts:
        share = gradient[:, :, start : start + part.channels]
        start += part.channels
        for term in part.terms:
            yield from _term_gradients(term, outputs, share)


def _sum(part: Part, outputs: Outputs, steps: slice) -> Numbers | None:
    terms = [
        prod(
            (_multiplied(gate, outputs, steps) for gate in term.gates),
            start=_multiplied(term, outputs, steps),
        )
        for term in part.terms
    ]
    return np.asarray(np.sum(terms, axis=0)) if terms else None


def _term_gradients(
    term: Term, outputs: Outputs, gradient: Numbers
) -> Iterator[tuple[int, Numbers]]:
    for at, factor in enumerate(term.factors):
        if factor.source == NETWORK_INPUT:
            continue
        others = (*term.factors[:at], *term.factors[at + 1 :])
        passed = prod((_multiplied(other, outputs) for other in others), start=gradient)
        passed = -passed if factor.inverted else passed
        yield factor.source, _factor_gradient(factor, outputs[factor.source], passed)


def _multiplied(factor: Factor, outputs: Outputs, steps: slice = slice(None)) -> Numbers:
    """What a factor multiplies with."""
    values = _on_the_way(factor, outputs[factor.source], steps)[-1]
    return 1 - values if factor.inverted else values


def _on_the_way(factor: Factor, output: Numbers, steps: slice = slice(None)) -> list[Numbers]:
    """A source's ``output``, delayed, and what each step of the way makes of it."""
    values = [_delayed(output, factor.delay, steps)]
    for step in factor.way:
        passed = step_forward(step, values[-1])
        values.append(passed)
    return values


def _factor_gradient(factor: Factor, output: Numbers, gradient: Numbers) -> Numbers:
    values = _on_the_way(factor, output)
    for step, before in zip(reversed(factor.way), reversed(values[:-1]), strict=True):
        gradient = step_gradient(step, before, gradient)
    earlier = np.zeros_like(gradient)
    earlier[: len(gradient) - factor.delay] = gradient[factor.delay :]
    return earlier


def _delayed(values: Numbers, delay: int, steps: slice) -> Numbers:
    """``values`` [T, ...] of ``delay`` steps before each of ``steps``; zeros where none were."""
    if not delay:
        return values[steps]
    late = np.arange(len(values))[steps] - delay
    taken = values[np.maximum(late, 0)]
    taken[late < 0] = 0
    return taken


def step_forward(step: Step, values: Numbers) -> Numbers:
    """``values`` [T, B, C, H, W] through a window or a pool."""
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return pooled(step, values)
    shaped = values.reshape(*values.shape[:2], *step.shape)
    return _along(_along(shaped[:, :, step.start : step.stop], 3, step.rows), 4, step.columns)


def step_gradient(step: Step, values: Numbers, gradient: Numbers) -> Numbers:
    """Gradient at ``values`` from that behind a window or a pool."""
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return pool_gradient(step, values, gradient)
    full = np.zeros((*gradient.shape[:2], *step.shape), gradient.dtype)
    inner = _back_along(gradient, 4, step.columns, step.shape[2])
    full[:, :, step.start : step.stop] = _back_along(inner, 3, step.rows, step.shape[1])
    return full.reshape(values.shape)


def _along(values: Numbers, axis: int, line: Line) -> Numbers:
    if line.is_whole(values.shape[axis]):
        return values
    taken = np.repeat(values[_at(axis, slice(line.start, line.stop, line.step))], line.repeat, axis)
    if taken.shape[axis] == line.size:
        return taken
    full = np.zeros((*taken.shape[:axis], line.size, *taken.shape[axis + 1 :]), taken.dtype)
    full[_at(axis, _places(line))] = taken
    return full


def _back_along(gradient: Numbers, axis: int, line: Line, size: int) -> Numbers:
    """Sums over repeats, at the rows that were read of ``size``."""
    if line.is_whole(size):
        return gradient
    inner = gradient[_at(axis, _places(line))]
    full = np.zeros((*gradient.shape[:axis], size, *gradient.shape[axis + 1 :]), gradient.dtype)
    read = full[_at(axis, slice(line.start, line.stop, line.step))]
    for repeat in range(line.repeat):  # NumPy sums over an axis of two ten times as slowly
        read += inner[_at(axis, slice(repeat, None, line.repeat))]
    return full


def _places(line: Line) -> slice:
    """Where rows stand among the zeros."""
    return slice(line.before, line.before + line.span, line.spread)


def _at(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)
