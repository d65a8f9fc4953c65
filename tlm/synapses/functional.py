"""Organisations of a convolution: its connectivity follows from the geometry and is not listed.

Schaefer et al., ISCAS 2020 (arXiv 2003.11639) name them; of their layouts the published leakage is
all that is known. At 57 nW a bit, beside the R S K b bits of the weights (one input channel):

- Func-RowCol and Func-Pure leak alike: 1.2 to 1.7 kbit, whatever the image, the filters and the
  window. The fields of ``geometry`` are 176 of these; the others are logic, which is no table.
- PB-BMP and Func-BMP leak alike: 0.86 kbit more at 3 x 3 and 2.75 kbit more at 7 x 7, whatever the
  image, the filters and the width. Assumed: a bit per tap for each case of the window at the
  border, 0.08 and 2.40 kbit.
- PB-CSR leaks a bit for every output neuron (55.7 nW each between images of 28 x 28 and 128 x 128)
  and what grows with taps and filters. Assumed: that bit says whether the neuron's window lies in
  the image; a reverse table points to every weight; every filter has its geometry. This gives 2.8 %
  less than published at 28 x 28, 3 x 3 and 32 filters, 0.5 % less at 16 filters, 4.8 % more at
  7 x 7, 1.9 % more at 128 x 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tlm.errors import ConfigError
from tlm.space.array_types import Bools
from tlm.synapses.filters import Filters
from tlm.synapses.packing import index_bits, packed, signed, unpacked
from tlm.synapses.tables import Encoded, PackedTable, SynapseTable

FIELDS = 11  # filters, channels, window, image, padding, stride, groups
FIELD_BITS = 16  # assumed


class ConvolutionOrganisation(Protocol):
    """A way to lay out the filters of a convolution in tables."""

    @property
    def name(self) -> str:
        """What users call it."""

    def tables(self, filters: Filters) -> tuple[SynapseTable, ...]:
        """The tables that filters take, sizes by formula from shapes alone."""

    def encode(self, filters: Filters) -> Encoded:
        """The bits in these tables."""

    def decode(self, encoded: Encoded) -> Filters:
        """The filters that were encoded."""


@dataclass(frozen=True)
class Functional:
    """``geometry``: one record; ``weights``: all codes, filter by filter, zeros too.

    Func-RowCol counts rows and columns to find a weight, Func-Pure computes its place: the tables
    are the same, the time and the energy are not.
    """

    name: str

    def tables(self, filters: Filters) -> tuple[SynapseTable, ...]:
        """The geometry and the weights."""
        return (
            SynapseTable("geometry", FIELDS * self._records(filters), FIELD_BITS),
            SynapseTable("weights", filters.codes.size, filters.width),
        )

    def encode(self, filters: Filters) -> Encoded:
        """Every table in the order of its index: filter, channel, row, column."""
        return Encoded(filters.codes.shape, filters.width, self._contents(filters))

    def decode(self, encoded: Encoded) -> Filters:
        """The filters by their geometry and weights."""
        fields, values = map(unpacked, encoded.contents[:2])
        k, c, r, s, height, width, pad_y, pad_x, step_y, step_x, groups = fields[:FIELDS].tolist()
        codes = signed(values, encoded.width).reshape(k, c, r, s)
        return Filters(
            codes, encoded.width, (height, width), (pad_y, pad_x), (step_y, step_x), groups
        )

    def _contents(self, filters: Filters) -> tuple[PackedTable, ...]:
        fields = (
            *filters.codes.shape, *filters.image, *filters.padding, *filters.stride, filters.groups
        )  # fmt: skip
        return (
            packed("geometry", np.array([fields] * self._records(filters)), FIELD_BITS),
            packed("weights", filters.codes, filters.width),
        )

    def _records(self, filters: Filters) -> int:
        return 1


class FunctionalBitmap(Functional):
    """Further ``bitmap``: for each case of a window at the border, a bit per tap in the image."""

    def tables(self, filters: Filters) -> tuple[SynapseTable, ...]:
        """R S bits for each case; with padding (R - 1) / 2 and stride 1 there are R S cases."""
        cases, taps = _border(filters).shape
        return (*super().tables(filters), SynapseTable("bitmap", cases * taps, 1))

    def _contents(self, filters: Filters) -> tuple[PackedTable, ...]:
        return (
            *super()._contents(filters),
            packed("bitmap", _border(filters).astype(np.int64), 1),
        )


class FunctionalRows(Functional):
    """Further ``windows``, a bit per output neuron, and ``reverse``, a pointer to each weight.

    ``reverse`` goes by channel, row, column, then filter, as a backward pass asks for weights.
    """

    def tables(self, filters: Filters) -> tuple[SynapseTable, ...]:
        """K E F bits and K C R S pointers; a record of geometry for every filter."""
        rows, columns = filters.positions
        weights = filters.codes.size
        return (
            *super().tables(filters),
            SynapseTable("windows", len(filters.codes) * rows * columns, 1),
            SynapseTable("reverse", weights, index_bits(weights)),
        )

    def decode_reverse(self, encoded: Encoded) -> Filters:
        """The same filters by look-ups in ``reverse``."""
        filters = self.decode(encoded)
        places = unpacked(encoded.contents[3])
        k, c, r, s = filters.codes.shape
        codes = filters.codes.ravel()[places].reshape(c, r, s, k).transpose(3, 0, 1, 2)
        return Filters(
            codes, filters.width, filters.image, filters.padding, filters.stride, filters.groups
        )

    def _contents(self, filters: Filters) -> tuple[PackedTable, ...]:
        rows, columns = (filters.inside(axis).all(1) for axis in (0, 1))
        windows = np.tile(np.outer(rows, columns), (len(filters.codes), 1))
        places = np.arange(filters.codes.size).reshape(filters.codes.shape).transpose(1, 2, 3, 0)
        return (
            *super()._contents(filters),
            packed("windows", windows.astype(np.int64), 1),
            packed("reverse", places, index_bits(places.size)),
        )

    def _records(self, filters: Filters) -> int:
        return len(filters.codes)


def _border(filters: Filters) -> Bools:
    """Which taps lie in the image, [cases, R S]: each case of rows with each case of columns."""
    rows, columns = (np.unique(filters.inside(axis), axis=0) for axis in (0, 1))
    taps = rows[:, None, :, None] & columns[None, :, None, :]
    return np.asarray(taps.reshape(len(rows) * len(columns), -1))


_ORGANISATIONS: dict[str, ConvolutionOrganisation] = {
    organisation.name: organisation
    for organisation in (
        FunctionalBitmap("pb-bmp"),
        FunctionalRows("pb-csr"),
        Functional("func-rowcol"),
        FunctionalBitmap("func-bmp"),
        Functional("func-pure"),
    )
}

CONVOLUTION_NAMES = tuple(_ORGANISATIONS)


def convolution_named(text: str) -> ConvolutionOrganisation:
    """The organisation of a convolution by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if text not in _ORGANISATIONS:
        raise ConfigError(
            f'unknown organisation of a convolution "{text}"; there are: '
            + ", ".join(CONVOLUTION_NAMES)
        )
    return _ORGANISATIONS[text]
