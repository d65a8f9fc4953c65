"""Stored weights by rules of the laws' own: which have a place, and the tables beside them.

Rules of docs/model.md ("Weights in memory"), tile by tile from the mask. Bits of the tables of a
tile with n weights of b bits between N inputs and M outputs, whole words of b bits each:

======== =========================================== ============================================
         index                                       reverse
======== =========================================== ============================================
pb-bmp   N M + N bits(n)
pb-csr   n log M + N bits(n)                         n (log N + log n) + M bits(n)
P:Q      P M ceil(N / Q) (b + log Q) - n b
======== =========================================== ============================================

log is that of what an index tells apart, bits(n) those of a pointer from 0 to n.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.space.array_types import Bools, Ints
from tlm.space.region import Span
from tlm.space.rounding import ceil_div
from tlm.workload.model import Layer

INDEX, REVERSE = "index", "reverse"


@dataclass(frozen=True, slots=True)
class StoredTile:
    """A tile of an array's weights that holds any: its first output, its tap, its mask.

    ``mask`` is [output, input].
    """

    output: int
    tap: int
    mask: Bools

    @property
    def weights(self) -> int:
        """Weights that are stored."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """The stored weights [K, C / groups, R, S] of a layer in an ``organisation``."""

    layer: Layer
    organisation: str
    mask: Bools
    chip: ChipConfig

    @cached_property
    def tiles(self) -> list[StoredTile]:
        """All tiles with any weight; none reaches over two groups of the convolution."""
        return list(self._tiles())

    def _tiles(self) -> Iterator[StoredTile]:
        engine, (outputs, inputs, *_) = self.chip.core.engines.fp, self.mask.shape
        width = outputs // self.layer.groups
        flat = self.mask.reshape(outputs, inputs, -1)
        for first in range(0, outputs, width):
            for k in range(first, first + width, engine.cols):
                rows = flat[k : min(k + engine.cols, first + width)]
                for c in range(0, inputs, engine.rows):
                    for tap in range(flat.shape[2]):
                        mask = rows[:, c : c + engine.rows, tap]
                        if mask.any():
                            yield StoredTile(k, tap, mask)

    def count(self, channels: Span) -> int:
        """Stored weights of some outputs."""
        return int(np.count_nonzero(self.mask[slice(*channels)]))

    def words(self, engine: str, channels: Span, taps: Collection[int] | None = None) -> int:
        """Words that an engine reads of the weights of some outputs (under some taps)."""
        tiles = self._tiles_of(channels)
        if taps is not None:
            tiles &= np.isin(self._sizes["tap"], list(taps))
        both = self._sizes["weights"] + self._sizes[self.table_of(engine)]
        return int(both[tiles].sum())

    def beside(self, table: str, channels: Span) -> int:
        """Words of a table of some outputs' weights."""
        return int(self._sizes[table][self._tiles_of(channels)].sum())

    def all_words(self, channels: Span) -> int:
        """Words of the weights of some outputs and of all tables beside them."""
        tables = self.beside(INDEX, channels) + self.beside(REVERSE, channels)
        return self.count(channels) + tables

    def _tiles_of(self, channels: Span) -> Bools:
        output = self._sizes["output"]
        return np.asarray((channels[0] <= output) & (output < channels[1]))

    @cached_property
    def _sizes(self) -> dict[str, Ints]:
        """Of every tile its first output, its tap, its weights, and the words of its tables."""
        rows = [
            (tile.output, tile.tap, tile.weights,
             self.table_words(tile, INDEX), self.table_words(tile, REVERSE))
            for tile in self.tiles
        ]  # fmt: skip
        columns = np.array(rows, np.int64).reshape(-1, 5).T
        return dict(zip(("output", "tap", "weights", INDEX, REVERSE), columns, strict=True))

    def table_of(self, engine: str) -> str:
        """The table that an engine looks weights up by."""
        return REVERSE if engine == "bp" and self.organisation == "pb-csr" else INDEX

    def table_words(self, tile: StoredTile, table: str) -> int:
        """Words of a table of a tile."""
        n, width = tile.weights, self.chip.precision.weight
        outputs, inputs = tile.mask.shape
        if self.organisation == "pb-bmp":
            bits = {INDEX: inputs * outputs + inputs * n.bit_length()}
        elif self.organisation == "pb-csr":
            bits = {
                INDEX: n * _log(outputs) + inputs * n.bit_length(),
                REVERSE: n * (_log(inputs) + _log(n)) + outputs * n.bit_length(),
            }
        else:
            kept, group = map(int, self.organisation.split(":"))
            places = kept * outputs * ceil_div(inputs, group)
            bits = {INDEX: places * (width + _log(group)) - n * width}
        return ceil_div(bits.get(table, 0), width)

    def load_cycles(self, tile: StoredTile, engine: str) -> int:
        """Cycles of a tile's way into the array: its table, a row of it at a time, then weights."""
        outputs, inputs = tile.mask.shape
        sides = self.chip.core.engines.fp
        port = sides.rows if engine == "bp" else sides.cols
        cycles = ceil_div(self.table_words(tile, self.table_of(engine)), port)
        if ":" in self.organisation:
            kept, group = map(int, self.organisation.split(":"))
            return cycles + (outputs if engine == "bp" else kept * ceil_div(inputs, group))
        if self.organisation == "pb-bmp" and engine != "bp":
            return cycles + int(np.count_nonzero(tile.mask.any(axis=0)))
        return cycles + ceil_div(tile.weights, self.chip.core.weights.lookups)


def _log(count: int) -> int:
    """Bits that tell ``count`` things apart."""
    return int(np.ceil(np.log2(count)))


def stored_weights(
    layer: Layer, chip: ChipConfig, nonzero: Sequence[Bools] | None
) -> StoredWeights | None:
    """The weights of a layer that have a place; None if all have, zero or not.

    ``nonzero`` are those of every layer that are not zero, None if none is.
    """
    organisation = dict(chip.core.weights.layers).get(layer.name, chip.core.weights.organisation)
    if organisation == "crossbar" or not layer.weighted:
        return None
    mask = np.ones(layer.weight_shape, np.bool_)
    if nonzero is not None:
        mask = nonzero[layer.index]
    if ":" in organisation:
        kept, group = map(int, organisation.split(":"))
        mask = np.concatenate(
            [
                _filled(mask[:, first : first + group], kept)
                for first in range(0, mask.shape[1], group)
            ],
            axis=1,
        )
    return StoredWeights(layer, organisation, mask, chip)


def _filled(group: Bools, kept: int) -> Bools:
    """A group of inputs with so many places taken: by weights, then by zeros from the first on."""
    free = kept - group.sum(axis=1, keepdims=True)
    return np.asarray(group | (~group & ((~group).cumsum(axis=1) <= free)))
