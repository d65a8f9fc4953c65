"""Cutting: the grids that a layer's shape and the cores allow, balanced by recorded work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from tlm.counts.core_arrays import CoreArrays
from tlm.placement.work_map import WorkMap
from tlm.space.geometry import row_quantum
from tlm.space.grid import Grid, Split, cut_positions
from tlm.space.region import Span, balanced_cuts, cuts
from tlm.space.rounding import ceil_div
from tlm.workload.model import Layer

DIMENSIONS = ("k", "batch", "spatial")


def dimensions(kind: str) -> frozenset[str]:
    """Which dimensions a ``mapping.split`` cuts: those it names, or all if it names none."""
    named = frozenset(kind.split("+")) & frozenset(DIMENSIONS)
    return named or frozenset(DIMENSIONS)


def candidates(
    layer: Layer, batch: int, cores: int, kind: str, arrays: CoreArrays
) -> Iterator[Split]:
    """All splits of a kind that the cores and the layer's shape allow.

    A layer that reads its own output is cut along samples alone: a core has all that it reads then.
    """
    allowed = dimensions(kind)
    most_k = ceil_div(layer.product_channels, arrays.tile) if "k" in allowed else 1
    # Zeros for other groups; an arbiter has all neurons.
    if layer.groups > 1 or layer.sums > 1 or layer.recurrent:
        most_k = 1
    most_b = batch if "batch" in allowed else 1
    most_s = ceil_div(layer.out_shape[1], _quantum(layer)) if "spatial" in allowed else 1
    most_s = 1 if layer.recurrent else most_s
    for k in range(1, min(cores, most_k) + 1):
        for b in range(1, min(cores // k, most_b) + 1):
            for s in range(1, min(cores // (k * b), most_s) + 1):
                yield Split(k, b, s)


def cuts_of(
    layer: Layer, work: WorkMap, splits: Sequence[Split], cores: Sequence[int]
) -> list[Grid]:
    """The grid of every split on the first of ``cores``, its cuts balanced by recorded work.

    Each dimension is cut by the work summed over the two others: channels at multiples of the
    array's width, rows at multiples of the pooling stride. Hundreds of splits cut one alike.
    """
    by_sample, by_tile, by_row = work.along
    rows, quantum = layer.out_shape[1], _quantum(layer)
    bands = [sum(by_row[y : y + quantum]) for y in range(0, rows, quantum)]

    @cache
    def channels(parts: int) -> tuple[int, ...]:
        spans = balanced_cuts(by_tile, parts)
        return cut_positions(_scaled(spans, work.tile, layer.product_channels))

    @cache
    def samples(parts: int) -> tuple[int, ...]:
        return cut_positions(balanced_cuts(by_sample, parts))

    @cache
    def both_rows(parts: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        neurons = cut_positions(_scaled(balanced_cuts(bands, parts), quantum, rows))
        return neurons, _input_rows(layer, work, parts)

    return [
        Grid(
            channels(split.k), samples(split.batch), *both_rows(split.spatial),
            cores=tuple(cores[: split.parts]),
        )
        for split in splits
    ]  # fmt: skip


def _quantum(layer: Layer) -> int:
    """Rows that stay together; all of them where pooling windows overlap."""
    return row_quantum(layer) or layer.out_shape[1]


def _scaled(spans: Sequence[Span], quantum: int, total: int) -> list[Span]:
    """Spans of units as spans of elements."""
    return [(low * quantum, min(total, high * quantum)) for low, high in spans]


def _input_rows(layer: Layer, work: WorkMap, parts: int) -> tuple[int, ...]:
    """Cuts of the rows whose dS BP computes; spans are empty where there are too few rows."""
    by_row = work.along_input_rows
    spans = balanced_cuts(by_row, parts) if any(by_row) else cuts(layer.in_shape[1], parts)
    missing = parts - len(spans)
    return (*cut_positions(spans), *[layer.in_shape[1]] * missing)
