"""Address map: where each tensor lies in DRAM, and which bytes a box of it covers.

Bump allocator, every tensor aligned to a DRAM row. Neuron tensors lie as [b][channel group of
``group``][y][t][x][channel]: engines work on all steps of a few rows, which so are one piece a
group. Weights lie as [k tile][c chunk][tap][chunk channel][tile channel], so that what one array
load needs is contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

from tlm.counts.packed_weights import PackedWeights
from tlm.counts.walk_count import WeightTile
from tlm.space.array_types import Bools, Ints
from tlm.space.region import Span, length
from tlm.space.tile import Extent


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor [b][group][y][t][x][channel in group] of ``bits`` an element; sizes padded to bytes.

    ``steps`` is 1 where all time steps share the data (a directly coded input). ``by_pair``: it is
    [b][t][group][y][x][channel in group], for engines that take one (sample, step) pair at a time.
    """

    name: str
    address: int
    channels: int
    group: int
    samples: int
    steps: int
    rows: int
    width: int
    bits: int
    by_pair: bool = False
    _known: dict[tuple[Span, Span, Span], tuple[Extent, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def row_bytes(self) -> int:
        """Bytes of one image row of one channel group at one step."""
        return -(-self.width * min(self.group, self.channels) * self.bits // 8)

    @property
    def groups(self) -> int:
        """Channel groups."""
        return -(-self.channels // self.group)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.samples * self.steps * self.groups * self.rows * self.row_bytes

    def whole_groups(self, channels: Span) -> Span:
        """The channels of all groups that a span of them touches."""
        low, high = channels[0] // self.group, -(-channels[1] // self.group)
        return (low * self.group, min(self.channels, high * self.group))

    def runs(
        self, samples: Span, steps: Span, channels: Span, rows: Span, live: Bools | None = None
    ) -> tuple[Extent, ...]:
        """Contiguous runs that cover a box; neighbours are merged. Whole channel groups only.

        ``live`` [T, B] leaves out the (step, sample) pairs that are false in it, and a sample
        that all steps share if it is false at all of them.
        """
        groups = (channels[0] // self.group, -(-channels[1] // self.group))
        if self.by_pair:
            return self._pair_runs(samples, steps, groups, rows, live)
        whole = steps == (0, self.steps) or (self.steps == 1 and steps[0] < steps[1])
        if whole and (live is None or live[slice(*steps), slice(*samples)].all()):
            key = (samples, groups, rows)
            if key not in self._known:  # several cores read what one has written
                self._known[key] = self._whole_rows(samples, groups, rows)
            return self._known[key]
        plane = self.rows * self.steps * self.row_bytes
        extents: list[Extent] = []
        for b in range(*samples):
            pieces = self._pieces(b, steps, rows, live)
            for g in range(*groups):
                base = self.address + (b * self.groups + g) * plane
                for offset, size in pieces:
                    start = base + offset
                    if extents and sum(extents[-1]) == start:
                        extents[-1] = (extents[-1][0], extents[-1][1] + size)
                    else:
                        extents.append((start, size))
        return tuple(extents)

    def _pair_runs(
        self, samples: Span, steps: Span, groups: Span, rows: Span, live: Bools | None
    ) -> tuple[Extent, ...]:
        """Runs of a tensor by pair."""
        plane, size = self.rows * self.row_bytes, length(rows) * self.row_bytes
        extents: list[Extent] = []
        for b, t, g in product(range(*samples), range(*steps), range(*groups) if size else ()):
            if live is None or live[t, b]:
                pair = b * self.steps + t
                start = (pair * self.groups + g) * plane + rows[0] * self.row_bytes + self.address
                if extents and sum(extents[-1]) == start:
                    extents[-1] = (extents[-1][0], extents[-1][1] + size)
                else:
                    extents.append((start, size))
        return tuple(extents)

    def _whole_rows(self, samples: Span, groups: Span, rows: Span) -> tuple[Extent, ...]:
        """Runs of rows with all their steps, nearly always asked for: one a group, if not all."""
        line, every, height = self.steps * self.row_bytes, self.groups, rows[1] - rows[0]
        plane = self.rows * line
        start = self.address + groups[0] * plane + rows[0] * line
        if height <= 0 or groups[0] >= groups[1] or samples[0] >= samples[1]:
            return ()
        if height < self.rows:
            return tuple(
                (start + (b * every + g) * plane, height * line)
                for b in range(*samples)
                for g in range(groups[1] - groups[0])
            )
        size = (groups[1] - groups[0]) * plane
        if size == every * plane:
            return ((start + samples[0] * size, (samples[1] - samples[0]) * size),)
        return tuple((start + b * every * plane, size) for b in range(*samples))

    def _pieces(self, sample: int, steps: Span, rows: Span, live: Bools | None) -> list[Extent]:
        """Offsets and lengths within a group of a sample: whole rows, or spans of live steps."""
        row, line = self.row_bytes, self.steps * self.row_bytes
        live_steps = (
            list(range(*steps)) if live is None else ([t for t in range(*steps) if live[t, sample]])
        )
        if self.steps == 1:
            live_steps = [0] * bool(live_steps)
        if not live_steps or rows[1] <= rows[0]:
            return []
        if len(live_steps) == self.steps:
            return [(rows[0] * line, (rows[1] - rows[0]) * line)]
        ends = [t for t in live_steps if t + 1 not in live_steps]
        starts = [t for t in live_steps if t - 1 not in live_steps]
        return [
            (y * line + low * row, (high + 1 - low) * row)
            for y in range(*rows)
            for low, high in zip(starts, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight-shaped tensor (W, its optimizer moments), tile after tile.

    ``inputs`` of an output channel: of grouped convolutions those of its group.
    """

    name: str
    address: int
    outputs: int
    inputs: int
    taps: int
    tile: int
    chunk: int
    bits: int
    groups: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor; short tiles at the edges are not padded."""
        return self.outputs * self.inputs * self.taps * self.bits // 8

    def offset(self, k: int, c: int, tap: int) -> int:
        """Elements before tile (output ``k``, input ``c``, ``tap``), the first of their tiles."""
        return self.place((k, c, tap))[0]

    def place(self, tile: WeightTile) -> tuple[int, int]:
        """Elements before a tile, and its own."""
        k, c, tap = tile
        inner, width = c % self.inputs, self._width(k)
        left = self.inputs - inner
        depth = left if left < self.chunk else self.chunk
        before = k * self.inputs * self.taps + width * (inner * self.taps + depth * tap)
        return before, width * depth

    def stretch(self, k: int, inputs: Span) -> tuple[int, int]:
        """Elements before all taps of some inputs of the outputs' tile ``k``, and their own."""
        return self.offset(k, inputs[0], 0), self._width(k) * length(inputs) * self.taps

    def _width(self, k: int) -> int:
        """Outputs of the tile that starts at ``k``; none reaches over two groups."""
        outputs = self.outputs // self.groups
        left = outputs - k % outputs
        return left if left < self.tile else self.tile

    def run(self, first: int, count: int) -> Extent:
        """The bytes of ``count`` elements from element ``first`` on."""
        return (self.address + first * self.bits // 8, count * self.bits // 8)


@dataclass(frozen=True, eq=False, slots=True)
class PackedTensor:
    """A tensor of packed weights (W, its moments, its index), tile after tile.

    ``words`` [output tile, input chunk, tap] of ``bits`` each are those of the tiles.
    """

    name: str
    address: int
    packed: PackedWeights
    words: Ints
    bits: int
    _ends: Ints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends", self.words.ravel().cumsum().reshape(self.words.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return int(self.words.sum()) * self.bits // 8

    @property
    def tile(self) -> int:
        """Outputs of a tile."""
        return self.packed.tile

    def offset(self, k: int, c: int, tap: int) -> int:
        """Elements before tile (output ``k``, input ``c``, ``tap``), the first of their tiles."""
        return self.place((k, c, tap))[0]

    def place(self, tile: WeightTile) -> tuple[int, int]:
        """Elements before a tile, and its own."""
        at = self.packed.at(tile)
        size = int(self.words[at])
        return int(self._ends[at]) - size, size

    def of_outputs(self, channels: Span) -> tuple[int, int]:
        """Elements before those of some outputs, and their own."""
        first = self.offset(channels[0], 0, 0)
        return first, int(self.words[self.packed.tiles_of(channels)].sum())

    def stretch(self, k: int, inputs: Span) -> tuple[int, int]:
        """Elements before all taps of some inputs of the outputs' tile ``k``, and their own."""
        first = self.offset(k, inputs[0], 0)
        row, chunk, _ = self.packed.at((k, inputs[1] - 1, 0))
        return first, int(self._ends[row, chunk, -1]) - first

    def run(self, first: int, count: int) -> Extent:
        """The bytes of ``count`` elements from element ``first`` on."""
        return (self.address + first * self.bits // 8, count * self.bits // 8)


TiledTensor: TypeAlias = Weights | PackedTensor


@dataclass(slots=True)
class Allocator:
    """Hands out addresses from 0 up, aligned to ``alignment`` bytes (one row)."""

    alignment: int
    capacity: int
    top: int = 0
    tensors: dict[str, Tensor | TiledTensor] = field(default_factory=dict)

    def reserve(self, nbytes: int) -> int:
        """The address of ``nbytes`` fresh bytes."""
        address = self.top
        self.top += -(-nbytes // self.alignment) * self.alignment
        return address

    def add(self, tensor: Tensor | TiledTensor) -> None:
        """Keep a tensor that was placed at a reserved address, for the mapping file."""
        self.tensors[tensor.name] = tensor

    @property
    def placed(self) -> list[Tensor | TiledTensor]:
        """All tensors in the order of their addresses."""
        return sorted(self.tensors.values(), key=lambda tensor: (tensor.address, tensor.nbytes))
