"""A neuron module that serves several layers, as one boundary for each of them.

Code that writes a neuron as a function of its currents often has one module for a whole block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.row_terms import NO_ROW, CallReading, RowFactor, RowTerm

if TYPE_CHECKING:
    from torch import Tensor

_Use = tuple[Boundary, tuple[tuple[int, int], ...]]
"""A boundary of one layer, and the rows of its module's outputs that are its own, by call."""


def with_uses_apart(boundaries: Mapping[str, Boundary], steps: int) -> dict[str, Boundary]:
    """The boundaries, those of neuron modules behind several layers once for each layer.

    Such a module keeps nothing from call to call: of one that does, the layers would share
    their membrane potential, and it stays as it is.
    """
    uses = {
        name: tuple(_uses(boundary, calls))
        for name, boundary in boundaries.items()
        if len(calls := _calls_by_use(boundary, steps)) > 1
    }
    if not uses:
        return dict(boundaries)
    apart = [each for name in boundaries for each in _boundaries(name, boundaries, uses)]
    return {
        boundary.name: replace(
            boundary,
            readings=[_renamed(reading, uses) for reading in boundary.readings],
            held=boundary.held and _held_renamed(boundary.held, uses),
        )
        for boundary in apart
    }


def _boundaries(
    name: str, boundaries: Mapping[str, Boundary], uses: Mapping[str, Sequence[_Use]]
) -> list[Boundary]:
    return [use for use, _ in uses[name]] if name in uses else [boundaries[name]]


def _calls_by_use(boundary: Boundary, steps: int) -> list[range]:
    """The calls of each layer that a module serves; all in one if it serves one."""
    equation, calls = boundary.equation, len(boundary.readings)
    every = [range(calls)]
    if equation is None or equation.state is not None or boundary.states.read:
        return every
    shape = boundary.inputs[0].shape
    whole = steps in shape[:2] if len(shape) in (3, 5) else shape[0] % steps == 0
    ways = [
        [range(use, calls, calls // steps) for use in range(calls // steps)],  # step by step
        [range(first, first + steps) for first in range(0, calls, steps)],  # layer by layer
    ]
    if whole and calls != steps:
        ways = [[range(call, call + 1) for call in range(calls)]]
    elif calls % steps or not boundary.states.values:  # it keeps its state itself
        return every
    return next((uses for uses in ways if _are_apart(boundary, uses)), every)


def _are_apart(boundary: Boundary, uses: Sequence[range]) -> bool:
    """Whether calls of one use read the same boundaries, and those of two uses others."""
    sources = [
        {frozenset(each.source for each in boundary.readings[call].factors) for call in calls}
        for calls in uses
    ]
    return all(len(each) == 1 for each in sources) and len(set.union(*sources)) == len(uses)


def _uses(boundary: Boundary, calls_by_use: Sequence[range]) -> Iterator[_Use]:
    rows = [prod(output.shape[: -3 if output.ndim > 3 else -1]) for output in boundary.outputs]
    first = list(accumulate(rows, initial=0))
    for number, calls in enumerate(calls_by_use):
        name = boundary.name if number == 0 else f"{boundary.name} (use {number + 1})"
        use = replace(
            boundary,
            name=name,
            readings=[boundary.readings[call] for call in calls],
            inputs=[boundary.inputs[call] for call in calls],
            outputs=[boundary.outputs[call] for call in calls],
            input_gradients=_of(boundary.input_gradients, calls),
            output_gradients=_of(boundary.output_gradients, calls),
        )
        yield use, tuple((first[call], first[call + 1]) for call in calls)


def _of(by_call: Mapping[int, Tensor], calls: range) -> dict[int, Tensor]:
    """What is noted of some calls, counted anew."""
    return {number: by_call[call] for number, call in enumerate(calls) if call in by_call}


def _held_renamed(held: Boundary, uses: Mapping[str, Sequence[_Use]]) -> Boundary:
    return replace(held, readings=[_renamed(reading, uses) for reading in held.readings])


def _renamed(reading: CallReading, uses: Mapping[str, Sequence[_Use]]) -> CallReading:
    """A reading whose sources are the boundaries of single layers."""
    return replace(
        reading,
        parts=tuple(
            replace(part, terms=tuple(named for term in part.terms for named in _named(term, uses)))
            for part in reading.parts
        ),
    )


def _named(term: RowTerm, uses: Mapping[str, Sequence[_Use]]) -> Iterator[RowTerm]:
    """The term, or what it reads of each layer that its sources serve."""
    for factors in product(*(_of_uses(factor, uses) for factor in term.factors)):
        apart = [
            (factor.rows == NO_ROW) & (whole.rows != NO_ROW)
            for factor, whole in zip(factors, term.factors, strict=True)
        ]
        zero = np.any(apart, axis=0)
        cut = [replace(factor, rows=np.where(zero, NO_ROW, factor.rows)) for factor in factors]
        if all((factor.rows != NO_ROW).any() for factor in cut):
            yield RowTerm(tuple(cut))


def _of_uses(factor: RowFactor, uses: Mapping[str, Sequence[_Use]]) -> Iterator[RowFactor]:
    if factor.source not in uses:
        yield factor
        return
    for use, spans in uses[factor.source]:
        rows = np.full_like(factor.rows, NO_ROW)
        before = 0
        for first, end in spans:
            inside = (factor.rows >= first) & (factor.rows < end)
            rows[inside] = factor.rows[inside] - first + before
            before += end - first
        yield replace(factor, source=use.name, rows=rows)
