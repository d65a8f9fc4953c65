"""Grids: a layer cut into slices along channels, samples and rows, and the core of each slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from tlm.space.region import Region, Slice, Span


@dataclass(frozen=True, slots=True)
class Split:
    """Parts over output channels, samples and rows; their product is the number of cores used."""

    k: int
    batch: int
    spatial: int

    @property
    def parts(self) -> int:
        """Cores the split occupies."""
        return self.k * self.batch * self.spatial


@dataclass(frozen=True, slots=True)
class Grid:
    """The cut of one layer: positions of its cuts, ends included, and a core for every slice.

    ``cores`` runs over samples, then rows, then channels, the channels fastest. ``input_rows``
    cuts the rows of dS that BP computes, one span for each span of ``rows``; it may be empty.
    """

    channels: tuple[int, ...]
    samples: tuple[int, ...]
    rows: tuple[int, ...]
    input_rows: tuple[int, ...]
    cores: tuple[int, ...]

    @property
    def split(self) -> Split:
        """How many spans each dimension is cut into."""
        return Split(len(self.channels) - 1, len(self.samples) - 1, len(self.rows) - 1)

    def slices(self) -> list[Slice]:
        """The slices in the order of ``cores``."""
        slices: list[Slice] = []
        bands = list(zip(pairwise(self.rows), pairwise(self.input_rows), strict=True))
        spans = product(pairwise(self.samples), bands, pairwise(self.channels))
        for samples, (rows, input_rows), channels in spans:
            region = Region(channels, samples, rows)
            index = len(slices)
            slices.append(Slice(index, self.cores[index], region, input_rows))
        return slices


def cut_positions(spans: Sequence[Span]) -> tuple[int, ...]:
    """The positions of the cuts between adjoining spans, both ends included."""
    return (spans[0][0], *(span[1] for span in spans))
