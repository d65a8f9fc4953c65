"""Weights of a layer where zeros have no place: which are stored, and what a tile of them takes.

A tile is what an array holds at a time, as for a crossbar; its tables are those that the layer's
organisation (:mod:`tlm.synapses`) needs for a matrix of the tile's size. They lie in the weight
buffer as words of a weight's width, whole words a tile: the weights themselves, and beside them the
index, which says where they belong. BP looks weights up by output: where the organisation has a
reverse table, it reads that instead of the index. A tile without any weight is not stored, loaded
or streamed; where the others begin, a core knows from its program.

A port moves a row of the array a cycle. Cycles to load a tile (WG: to drain dW) are those of its
index, and then

======== =========================================== ===============================================
         forward: FP, WG                             transposed: BP
======== =========================================== ===============================================
pb-bmp   a row with any weight: the bits of a row    a weight: those of an output lie in rows of
         spread what follows them                    their own, behind as many set bits as there are
pb-csr   a weight: each is looked up by its entry    a weight: each is looked up by its entry
N:M      a vector of the N places of M rows          a row, as a crossbar: places are a matrix
======== =========================================== ===============================================

Weights that are looked up one by one come ``core.weights.lookups`` a cycle (assumed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tlm.counts.walk_count import WeightTile
from tlm.errors import MappingError
from tlm.space.array_types import Bools, Ints
from tlm.space.region import Span
from tlm.space.rounding import ceil_div
from tlm.synapses.organisation import Organisation, named
from tlm.workload.model import Layer

NO_ZEROS = ("pb-bmp", "pb-csr")  # organisations that store no weight of zero


@dataclass(frozen=True, slots=True)
class _TileCounts:
    """A tile as :mod:`tlm.synapses` counts tables: ``fan_out`` [inputs] are weights of an input."""

    inputs: int
    outputs: int
    width: int
    fan_out: Ints

    @property
    def synapses(self) -> int:
        """Stored weights."""
        return int(self.fan_out.sum())


@dataclass(frozen=True, slots=True)
class TileView:
    """Tiles of one group as an array holds them.

    ``mask`` [tap, row channel, column channel] are the stored weights; stored ``values``, ``words``
    to read and cycles of ``loads`` [column group, row group, tap].
    """

    mask: Bools
    values: Ints
    words: Ints
    loads: Ints


@dataclass(frozen=True, eq=False, slots=True)
class PackedWeights:
    """Stored weights of a layer by tile of ``tile`` outputs and ``chunk`` inputs under a tap.

    ``mask`` [K, C / groups, tap] are the weights that have a place. ``values``, ``index``,
    ``reverse`` (words of the tables; no reverse table: None) and ``loads`` (cycles, forward and
    transposed) are arrays [output tile, input chunk, tap].
    """

    layer: Layer
    tile: int
    chunk: int
    mask: Bools
    values: Ints
    index: Ints
    reverse: Ints | None
    loads: tuple[Ints, Ints]

    def index_of(self, engine: str) -> Ints:
        """Words beside the weights that an engine reads."""
        return self.reverse if engine == "bp" and self.reverse is not None else self.index

    def words(self, engine: str, channels: Span) -> int:
        """Words that an engine reads of some output channels' weights."""
        some = self.tiles_of(channels)
        return int((self.values[some] + self.index_of(engine)[some]).sum())

    def count(self, channels: Span) -> int:
        """Stored weights of some output channels."""
        return int(self.values[self.tiles_of(channels)].sum())

    def index_words(self, channels: Span) -> int:
        """Words of the index of some output channels."""
        return int(self.index[self.tiles_of(channels)].sum())

    def load_cycles(self, engine: str, channels: Span) -> int:
        """Cycles in which an engine loads (WG: drains) all tiles of some output channels once."""
        return int(self.loads[engine == "bp"][self.tiles_of(channels)].sum())

    def all_words(self, channels: Span) -> int:
        """Words of all tables of some output channels."""
        some = self.tiles_of(channels)
        reverse = 0 if self.reverse is None else int(self.reverse[some].sum())
        return int((self.values[some] + self.index[some]).sum()) + reverse

    def largest_tile(self, engine: str) -> int:
        """Words that an engine reads of the largest tile."""
        return int((self.values + self.index_of(engine)).max())

    def at(self, tile: WeightTile) -> tuple[int, int, int]:
        """Where a tile stands in the arrays."""
        k, c, tap = tile
        return self.row_of(k), c % self.layer.weight_shape[1] // self.chunk, tap

    def view(self, engine: str, rows: Span, columns: Span, taps: Sequence[int]) -> TileView:
        """The tiles of some channels along the rows and the columns of an engine's array."""
        outputs, inputs = (rows, columns) if engine == "bp" else (columns, rows)
        depth = self.layer.weight_shape[1]
        first = inputs[0] % depth
        some = slice(first, first + inputs[1] - inputs[0])
        mask = self.mask[slice(*outputs), some][:, :, list(taps)]
        chunks = slice(some.start // self.chunk, ceil_div(some.stop, self.chunk))
        place = (self.tiles_of(outputs), chunks)
        words = self.values + self.index_of(engine)
        counts = [
            table[place][:, :, list(taps)]
            for table in (self.values, words, self.loads[engine == "bp"])
        ]
        if engine == "bp":
            return TileView(mask.transpose(2, 0, 1), *(each.swapaxes(0, 1) for each in counts))
        return TileView(mask.transpose(2, 1, 0), *counts)

    def row_of(self, k: int) -> int:
        """The output tile of a channel; none reaches over two groups."""
        width = self.layer.product_channels // self.layer.groups
        return k // width * ceil_div(width, self.tile) + k % width // self.tile

    def tiles_of(self, channels: Span) -> slice:
        """The output tiles of a span of channels."""
        return slice(self.row_of(channels[0]), self.row_of(channels[1] - 1) + 1)


class TileShape(Protocol):
    """How weights are cut into tiles, and how wide they are."""

    @property
    def chunk(self) -> int: ...
    @property
    def tile(self) -> int: ...
    @property
    def weight_bits(self) -> int: ...


def pack(
    layer: Layer, nonzero: Bools | None, organisation: str, shape: TileShape, lookups: int
) -> PackedWeights:
    """The weights of a layer in an organisation; ``nonzero`` as in a recording, None: all.

    Raises:
        MappingError: more weights than N:M has places for, or groups that tiles cut.
    """
    mask = np.ones(layer.weight_shape, np.bool_) if nonzero is None else nonzero
    mask = mask.reshape(*layer.weight_shape[:2], -1)
    if organisation not in NO_ZEROS:
        kept, group = map(int, organisation.split(":"))
        _check_groups(layer, mask, kept, group, shape.chunk)
        mask = _with_places(mask, kept, group)
    width = layer.product_channels // layer.groups
    firsts = [g * width + k for g in range(layer.groups) for k in range(0, width, shape.tile)]
    fan_out = np.add.reduceat(mask, firsts, axis=0, dtype=np.int64)
    outputs = np.diff([*firsts, layer.product_channels])
    counts = (len(firsts), ceil_div(mask.shape[1], shape.chunk), mask.shape[2])
    values, index, reverse, forward, transposed = np.zeros((5, *counts), np.int64)
    layout = named(organisation)
    for k, c, tap in np.ndindex(counts):
        each = fan_out[k, c * shape.chunk : (c + 1) * shape.chunk, tap]
        tile = _TileCounts(len(each), int(outputs[k]), shape.weight_bits, each)
        at = k, c, tap
        if tile.synapses:
            values[at] = tile.synapses
            index[at], reverse[at] = _index_words(layout, tile)
            loads = _load_cycles(organisation, tile, lookups)
            forward[at] = loads[0] + ceil_div(int(index[at]), shape.tile)
            read_back = int(reverse[at] or index[at])
            transposed[at] = loads[1] + ceil_div(read_back, shape.chunk)
    return PackedWeights(
        layer, shape.tile, shape.chunk, mask, values, index,
        reverse if reverse.any() else None, (forward, transposed),
    )  # fmt: skip


def _index_words(layout: Organisation, tile: _TileCounts) -> tuple[int, int]:
    """Words beside the weights in the tables of a tile: read forward, and reverse tables."""
    bits = {table.name: table.bits for table in layout.tables(tile)}
    reverse = sum(size for name, size in bits.items() if name.startswith("reverse"))
    forward = sum(bits.values()) - reverse - tile.synapses * tile.width
    return ceil_div(forward, tile.width), ceil_div(reverse, tile.width)


def _load_cycles(organisation: str, tile: _TileCounts, lookups: int) -> tuple[int, int]:
    """Cycles in which the weights of a tile enter the array, forward and transposed."""
    one_by_one = ceil_div(tile.synapses, lookups)
    if organisation == "pb-csr":
        return one_by_one, one_by_one
    if organisation == "pb-bmp":
        return int(np.count_nonzero(tile.fan_out)), one_by_one
    kept, group = map(int, organisation.split(":"))
    return kept * ceil_div(tile.inputs, group), tile.outputs


def _check_groups(layer: Layer, mask: Bools, kept: int, group: int, chunk: int) -> None:
    fullest = int(np.add.reduceat(mask, range(0, mask.shape[1], group), axis=1, dtype=int).max())
    if fullest > kept:
        raise MappingError(
            f"core.weights.organisation: layer {layer.name}: {kept}:{group} has places for {kept} "
            f"of {group} inputs, a group has {fullest} weights; run with --weights {kept}:{group}"
        )
    if chunk % group and mask.shape[1] > chunk:
        raise MappingError(
            f"core.weights.organisation: layer {layer.name}: groups of {group} inputs do not fill "
            f"the {chunk} rows of an array; take an M that divides {chunk}"
        )


def _with_places(mask: Bools, kept: int, group: int) -> Bools:
    """With the places of N:M that hold a zero: the first free ones of every group of inputs."""
    places = mask.copy()
    for first in range(0, mask.shape[1], group):
        some = mask[:, first : first + group]
        ranks = np.argsort(np.argsort(~some, axis=1, kind="stable"), axis=1, kind="stable")
        places[:, first : first + group] = ranks < kept
    return places
