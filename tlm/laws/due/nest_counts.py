"""What the nests of held weights come to: slots, cycles, operations and words.

Rules of docs/model.md ("Engines", "What is skipped"); other dataflows are not counted here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product

import numpy as np

from tlm.laws.due.facts import Facts
from tlm.laws.due.nests import Nest, Stream, streams
from tlm.laws.due.stored import StoredTile, StoredWeights
from tlm.space.array_types import Bools, Ints
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.region import length
from tlm.space.rounding import ceil_div


@dataclass(slots=True)
class NestCount:
    """What a nest comes to.

    ``positions`` that are looked at; ``slots`` before skipping, ``scanned`` those looked at (none
    past weights that are not stored), ``executed`` those left, ``lane_slots`` those of single
    lanes; multiply-accumulates of all slots (``dense``), executed (``macs``) and ``useful`` ones.
    Words: of the operand along the rows (``row_words``), of vectors that pass what is held
    (``streamed``), of what is ``held``, of the ``index`` beside it; sums that begin with nothing
    (``fresh``), those of them in a column without a weight (``weightless``), and sums of lanes that
    are added up (``merged``) to those ``touched``. ``cycles`` of the array alone.
    """

    positions: int = 0
    slots: int = 0
    scanned: int = 0
    executed: int = 0
    lane_slots: int = 0
    dense: int = 0
    macs: int = 0
    useful: int = 0
    row_words: int = 0
    streamed: int = 0
    held: int = 0
    index: int = 0
    fresh: int = 0
    weightless: int = 0
    merged: int = 0
    touched: int = 0
    cycles: int = 0

    def add(self, other: NestCount) -> None:
        """Count what another comes to."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True, slots=True)
class _Array:
    """The array that a stream passes, how fast it looks, and whether sums pass it (WG: dY)."""

    mode: str
    rows: int
    cols: int
    slot_cycles: int
    scan: int
    queue: int
    sums_pass: bool


def nest_count(job: Facts, nest: Nest) -> NestCount:
    """What a nest of held weights must come to."""
    engine, core = nest.engine(job), job.chip.core
    slot_cycles = ceil_div(max(engine.rows, engine.cols), core.memory.banks)
    array = _Array(
        engine.mode, engine.rows, engine.cols, slot_cycles, core.scan_slots, core.queue_depth,
        nest.phase != Phase.WG,
    )  # fmt: skip
    total = NestCount()
    for stream in streams(job, nest):
        total.positions += stream.scanned
        if nest.facts.stored is None:
            total.add(_passes(array, stream))
        else:
            total.add(_stored_passes(array, stream, nest.facts.stored, ENGINE_OF_PHASE[nest.phase]))
    return total


def panels(job: Facts, nest: Nest) -> list[int]:
    """Channels of every panel of sums; none reaches over two groups of the convolution."""
    size = nest.engine(job).cols
    return [
        min(size, length(columns) - first)
        for _, columns in nest.channels
        for first in range(0, length(columns), size)
    ]


def _passes(array: _Array, stream: Stream) -> NestCount:
    """A stream past every tile of weights: all taps, chunks of rows, groups of columns."""
    taps, _, rows = stream.rows.shape
    depths, widths = _sizes(rows, array.rows), _sizes(stream.columns.shape[1], array.cols)
    held = taps * rows * stream.columns.shape[1]
    tiles = taps * len(depths) * len(widths)
    count = NestCount(slots=tiles * stream.slots, dense=held * stream.slots)
    if not stream.scanned:
        return count
    lanes = np.logical_or.reduceat(stream.rows, np.arange(0, rows, array.rows), axis=2)
    partners = np.logical_or.reduceat(
        stream.columns, np.arange(0, stream.columns.shape[1], array.cols), axis=1
    )
    executed = np.full((taps, len(depths), len(widths)), stream.scanned)
    if array.mode != "dense":
        executed = np.einsum("tpf,pg->tfg", lanes.astype(np.int32), partners.astype(np.int32))
    busy, cycles = executed, executed * array.slot_cycles
    if array.mode == "vector":
        cycles = np.maximum(cycles, ceil_div(stream.scanned, array.scan))
    if array.mode == "element":
        busy, cycles = _lanes(array, stream, partners)
        count.lane_slots = int(busy.sum())
        depths = np.ones_like(depths)
    count.scanned, count.executed = tiles * stream.scanned, int(executed.sum())
    count.cycles = tiles * array.rows + int(cycles.sum())
    count.row_words = int(np.einsum("tfg,f->", busy, depths))
    count.macs = int(np.einsum("tfg,f,g->", busy, depths, widths))
    count.streamed, count.held = int(np.einsum("tfg,g->", busy, widths)), held
    rows_set, columns_set = stream.recorded
    count.useful = int(rows_set.sum(axis=(0, 2), dtype=np.int64) @ columns_set.sum(axis=1))
    if array.sums_pass:
        _sums(array, stream, partners, widths, count)
    return count


def _stored_passes(array: _Array, stream: Stream, stored: StoredWeights, engine: str) -> NestCount:
    """A stream past the tiles that hold any weight, one by one.

    A slot is executed where some row with a weight meets something, and some column with one.
    """
    assert stream.weights is not None
    taps, rows, columns = stream.weights.shape
    chunks = [slice(at, at + array.rows) for at in range(0, rows, array.rows)]
    groups = [slice(at, at + array.cols) for at in range(0, columns, array.cols)]
    tiles = taps * len(chunks) * len(groups)
    count = NestCount(slots=tiles * stream.slots, dense=stream.weights.size * stream.slots)
    if not stream.scanned:
        return count
    for group in groups:
        touched = np.zeros(len(stream.columns), np.bool_)
        width = stream.columns[:, group].shape[1]
        for chunk, tap in product(chunks, range(taps)):
            mask = stream.weights[tap, chunk, group]
            if not mask.any():
                continue
            met = stream.rows[tap][:, chunk][:, mask.any(axis=1)].any(axis=1)
            met &= stream.columns[:, group][:, mask.any(axis=0)].any(axis=1)
            met |= array.mode == "dense"
            begun, touched = int((met & ~touched).sum()), touched | met
            outputs_by_inputs = mask if engine == "bp" else mask.T
            tile = StoredTile(0, tap, outputs_by_inputs)
            executed = stream.scanned if array.mode == "dense" else int(met.sum())
            count.add(_stored_pass(array, stream.scanned, executed, mask))
            count.cycles += stored.load_cycles(tile, engine)
            count.index += stored.table_words(tile, stored.table_of(engine))
            if array.sums_pass:
                count.fresh += begun * width
                count.weightless += begun * int((~mask.any(axis=0)).sum())
    rows_set, columns_set = stream.recorded
    met_pairs = np.matmul(rows_set.swapaxes(1, 2).astype(float), columns_set.astype(float))
    count.useful = int(met_pairs[stream.weights].sum())
    return count


def _stored_pass(array: _Array, scanned: int, executed: int, mask: Bools) -> NestCount:
    """A stream past a tile of weights [row, column], but for its load."""
    cycles = executed * array.slot_cycles
    if array.mode == "vector":
        cycles = max(cycles, ceil_div(scanned, array.scan))
    depth, width = mask.shape
    return NestCount(
        scanned=scanned,
        executed=executed,
        macs=executed * int(mask.sum()),
        row_words=executed * depth,
        streamed=executed * width,
        held=int(mask.sum()),
        cycles=cycles,
    )


def _sums(array: _Array, stream: Stream, partners: Bools, widths: Ints, count: NestCount) -> None:
    """Sums that begin with nothing; those of lanes are added up, a position a cycle."""
    touched = stream.rows.any(axis=(0, 2)).astype(np.int64) @ partners
    count.fresh = int(touched @ widths)
    if array.mode == "dense":
        count.fresh = stream.scanned * int(widths.sum())
    if array.mode == "element":
        lanes = np.zeros((stream.rows.shape[1], array.rows), np.bool_)
        for first in range(0, stream.rows.shape[2], array.rows):
            some = stream.rows[:, :, first : first + array.rows].any(axis=0)
            lanes[:, : some.shape[1]] |= some
        count.touched = count.fresh
        count.fresh = int((lanes.sum(axis=1) @ partners) @ widths)
        count.merged = count.fresh - count.touched
        count.cycles += len(widths) * stream.scanned * array.slot_cycles


def _lanes(array: _Array, stream: Stream, partners: Bools) -> tuple[Ints, Ints]:
    """Slots of single lanes and cycles of the slowest, [tap, chunk, group].

    A group of slots enters when every lane's queue has room for it.
    """
    taps, positions, rows = stream.rows.shape
    chunks = ceil_div(rows, array.rows)
    lanes = np.zeros((positions, taps, chunks * array.rows), np.bool_)
    lanes[:, :, :rows] = stream.rows.swapaxes(0, 1)
    lanes = lanes.reshape(positions, taps, chunks, 1, array.rows)
    met = lanes & partners[:, None, None, :, None]
    work = np.zeros((ceil_div(stream.scanned, array.scan), *met.shape[1:]), np.int64)
    np.add.at(work, stream.places // array.scan, met)
    busy = work.sum(axis=(0, -1))
    entered, ends = np.zeros(busy.shape, np.int64), np.zeros(work.shape[1:], np.int64)
    slowest: list[Ints] = []
    for group in work * array.slot_cycles:
        room = slowest[-array.queue] if len(slowest) >= array.queue else entered
        entered = np.maximum(entered + 1, room)
        ends = np.maximum(ends, entered[..., None]) + group
        slowest.append(ends.max(axis=-1))
    return busy, slowest[-1]


def _sizes(count: int, size: int) -> Ints:
    """Channels of every group of ``size``; the last may be short."""
    return np.array([min(size, count - first) for first in range(0, count, size)])
