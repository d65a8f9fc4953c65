"""Slices of many grids of one layer at once, as arrays: what is worked out once for all of them.

Hundreds of grids have few different spans. What follows from a span alone is counted once for
each; all else is arithmetic on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, product
from typing import Any, TypeVar

import numpy as np

from tlm.space.array_types import Bools, Cells, Floats, Ints
from tlm.space.grid import Grid
from tlm.space.region import Span, length

Cutting = TypeVar("Cutting", Span, tuple[Span, Span])
Band = tuple[Span, Span]  # rows of neurons, and the input rows that go with them


class Slices:
    """The slices of some grids, one grid after the other, each in the order of its cores.

    ``channels``, ``samples`` and ``input_rows`` [slice] are how many a slice has, ``neurons`` those
    of a column, ``cores`` its core. ``k`` and
    ``replicas`` [grid] are parts of a grid along the channels and along all else, ``parts`` both.
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        samples, bands, channels = dict[Span, int](), dict[Band, int](), dict[Span, int]()
        places: list[tuple[int, ...]] = []
        for grid in grids:
            both = zip(pairwise(grid.rows), pairwise(grid.input_rows), strict=True)
            places += product(
                _numbered(samples, pairwise(grid.samples)),
                _numbered(bands, both),
                _numbered(channels, pairwise(grid.channels)),
            )
        self._samples, self._bands, self._channels = list(samples), list(bands), list(channels)
        self._sample, self._band, self._channel = np.array(places).T
        self.grids = grids
        self.cores = np.array([core for grid in grids for core in grid.cores])
        self.k = np.array([len(grid.channels) - 1 for grid in grids])
        self.parts = np.array([len(grid.cores) for grid in grids])
        self.replicas = self.parts // self.k
        self._starts = np.cumsum(self.parts) - self.parts
        self.channels = self.by_channels(length)
        self.samples = self.by_samples(length)
        self.input_rows = self.by_band(lambda rows, input_rows: length(input_rows))
        self.neurons = self.channels * self.samples * self.by_rows(length)

    def by_channels(self, count: Callable[[Span], Any]) -> Ints:
        """``count`` of the channels of every slice."""
        return np.asarray(np.array([count(span) for span in self._channels])[self._channel])

    def by_samples(self, count: Callable[[Span], Any]) -> Cells:
        """``count`` of the samples of every slice."""
        return np.asarray(np.array([count(span) for span in self._samples])[self._sample])

    def by_rows(self, count: Callable[[Span], Any]) -> Ints:
        """``count`` of the rows of neurons of every slice."""
        return self.by_band(lambda rows, input_rows: count(rows))

    def by_band(self, count: Callable[[Span, Span], Any]) -> Ints:
        """``count`` of the rows of neurons, and the input rows, of every slice."""
        return np.asarray(np.array([count(*band) for band in self._bands])[self._band])

    def by_pieces(self, sizes: Ints, count: Callable[[Span, int], Any]) -> Cells:
        """``count`` of the samples of every slice in pieces of ``sizes`` [slice], at most all."""
        most = int(self.samples.max()) + 1
        pairs, at = np.unique(
            self._sample * most + np.minimum(sizes, self.samples), return_inverse=True
        )
        spans = [(self._samples[pair // most], pair % most) for pair in pairs.tolist()]
        return np.asarray(np.array([count(*pair) for pair in spans])[at])

    def each(self, of_grids: Sequence[Any] | Cells) -> Cells:
        """What holds for a grid [grid], of every slice."""
        return np.repeat(np.asarray(of_grids), self.parts)

    def largest(self, values: Cells) -> Cells:
        """The largest of ``values`` [slice] of every grid."""
        return np.asarray(np.maximum.reduceat(values, self._starts))

    def any(self, flags: Bools) -> Bools:
        """Whether any of ``flags`` [slice] of a grid is set."""
        return np.asarray(np.logical_or.reduceat(flags, self._starts))

    def total(self, values: Ints) -> Ints:
        """The sum of whole numbers [slice] over every grid."""
        return np.asarray(np.add.reduceat(values, self._starts))

    def sums(self, *values: Floats) -> Floats:
        """The sum of each of ``values`` [slice] over every grid, [value, grid].

        Each grid is added up by itself, for the same last bit whatever grids are beside it.
        """
        table, ends = np.stack(values), (self._starts + self.parts).tolist()
        spans = zip(self._starts.tolist(), ends, strict=True)
        return np.stack([table[:, first:last].sum(axis=1) for first, last in spans], axis=1)


def _numbered(numbers: dict[Cutting, int], keys: Iterable[Cutting]) -> list[int]:
    """The number of every key; new ones are numbered on."""
    return [numbers.setdefault(key, len(numbers)) for key in keys]
