"""Convolutions: geometry, border, and the pointers of a backward pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import ConfigError, WorkloadError
from tlm.synapses.filters import Filters
from tlm.synapses.functional import CONVOLUTION_NAMES, FunctionalRows, convolution_named
from tlm.synapses.packing import unpacked


@st.composite
def convolutions(draw: st.DrawFn) -> Filters:
    """Any window, stride and padding on images up to 9 x 9, in one or two groups."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    image = tuple(
        draw(st.integers(max(1, side - 2 * pad), 9))
        for side, pad in zip(window, padding, strict=True)
    )
    groups = draw(st.integers(1, 2))
    width = draw(st.integers(2, 16))
    shape = (groups * draw(st.integers(1, 3)), draw(st.integers(1, 3)), *window)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = generator.integers(-(1 << (width - 1)), 1 << (width - 1), shape)
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return Filters(codes, width, (image[0], image[1]), padding, stride, groups)


def same(a: Filters, b: Filters) -> bool:
    """Codes, width and geometry."""
    rest = [(f.width, f.image, f.padding, f.stride, f.groups) for f in (a, b)]
    return np.array_equal(a.codes, b.codes) and rest[0] == rest[1]


@pytest.mark.parametrize("name", CONVOLUTION_NAMES)
@given(filters=convolutions())
def test_decode_gives_back_what_encode_took(name: str, filters: Filters) -> None:
    """And the tables by formula are those encoded."""
    organisation = convolution_named(name)
    encoded = organisation.encode(filters)
    assert same(organisation.decode(encoded), filters)
    assert organisation.tables(filters) == encoded.tables


@given(filters=convolutions())
def test_the_reverse_table_finds_the_same_weights(filters: Filters) -> None:
    """By channel, row, column, then filter."""
    organisation = convolution_named("pb-csr")
    assert isinstance(organisation, FunctionalRows)
    assert same(organisation.decode_reverse(organisation.encode(filters)), filters)


@given(filters=convolutions())
def test_border_and_windows_are_those_of_a_walk_over_the_image(filters: Filters) -> None:
    """Position by position, tap by tap."""
    rows, columns = filters.positions
    r, s = filters.codes.shape[2:]
    masks = []
    for y in range(rows):
        for x in range(columns):
            top = y * filters.stride[0] - filters.padding[0]
            left = x * filters.stride[1] - filters.padding[1]
            masks.append(
                [
                    0 <= top + i < filters.image[0] and 0 <= left + j < filters.image[1]
                    for i in range(r)
                    for j in range(s)
                ]
            )
    bitmap = unpacked(convolution_named("pb-bmp").encode(filters).contents[2])
    cases = {tuple(map(bool, case)) for case in bitmap.reshape(-1, r * s)}
    assert cases == {tuple(mask) for mask in masks}
    windows = unpacked(convolution_named("pb-csr").encode(filters).contents[2])
    assert windows.tolist() == [all(mask) for mask in masks] * len(filters.codes)
    assert filters.taps() == sum(map(sum, masks))


@pytest.mark.parametrize(("side", "window", "taps"), [(28, 3, 6724), (28, 7, 33856), (1, 1, 1)])
def test_taps_of_square_images(side: int, window: int, taps: int) -> None:
    """With padding (R - 1) / 2: (R side - 2 (1 + ... + (R - 1) / 2)) squared."""
    half = window // 2
    filters = Filters(np.ones((2, 3, window, window), np.int64), 8, (side, side), (half, half))
    assert filters.taps() == taps
    assert filters.synapses == 6 * taps
    assert convolution_named("func-bmp").tables(filters)[2].words == (window * window) ** 2


def test_the_matrix_of_filters_has_a_column_per_filter() -> None:
    """Rows go by tap, then channel."""
    codes = np.arange(8).reshape(2, 2, 1, 2)
    matrix = Filters(codes, 8, (4, 4), (0, 0)).matrix()
    assert matrix.codes.tolist() == [[0, 4], [2, 6], [1, 5], [3, 7]]


def test_bad_geometry_and_names_are_refused() -> None:
    """With the shape, or all names."""
    with pytest.raises(WorkloadError, match="does not fit an image of"):
        Filters(np.ones((1, 1, 5, 5), np.int64), 8, (3, 3), (0, 0))
    with pytest.raises(WorkloadError, match=r"this one has the shape \(3, 1, 1, 1\)"):
        Filters(np.ones((3, 1, 1, 1), np.int64), 8, (3, 3), (0, 0), groups=2)
    with pytest.raises(ConfigError, match="there are: pb-bmp, pb-csr, func-rowcol"):
        convolution_named("crossbar")
