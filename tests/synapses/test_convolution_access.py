"""Accesses of a pass over a convolution, beside a walk over its encoded weights."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.tables.synapse_memory import load_synapse_memory
from tlm.errors import ConfigError
from tlm.space.array_types import Ints
from tlm.synapses.convolution_access import convolution_passes
from tlm.synapses.cost import convolution_cost
from tlm.synapses.filters import Filters
from tlm.synapses.functional import CONVOLUTION_NAMES, convolution_named
from tlm.synapses.packing import signed, unpacked

TABLE = load_synapse_memory()


@st.composite
def convolutions(draw: st.DrawFn) -> Filters:
    """Small ones of any window, stride, padding and groups."""
    groups, each, channels = (draw(st.integers(1, 2)) for _ in range(3))
    window = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    return Filters(
        generator.integers(-2, 2, (groups * each, channels, *window)),
        2,
        draw(st.tuples(st.integers(3, 6), st.integers(3, 6))),
        draw(st.tuples(st.integers(0, 1), st.integers(0, 1))),
        draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        groups,
    )


def walk(filters: Filters, image: Ints) -> tuple[Ints, int, int]:
    """Sums of every window by reads of the encoded weights; the reads, and the windows walked."""
    encoded = convolution_named("func-rowcol").encode(filters)
    (weights,) = (part for part in encoded.contents if part.table.name == "weights")
    codes = signed(unpacked(weights), filters.width)
    k, c, r, s = filters.codes.shape
    sums = np.zeros((k, *filters.positions), np.int64)
    reads = windows = 0
    for out, channel, *at in product(*map(range, (k, c, *filters.positions))):
        windows += 1
        source = out // (k // filters.groups) * c + channel
        for tap in product(range(r), range(s)):
            weight = codes[((out * c + channel) * r + tap[0]) * s + tap[1]]
            reads += 1
            y, x = (
                at[axis] * filters.stride[axis] + tap[axis] - filters.padding[axis]
                for axis in (0, 1)
            )
            if 0 <= y < filters.image[0] and 0 <= x < filters.image[1]:
                sums[(out, *at)] += weight * image[source, y, x]
    return sums, reads, windows


def convolved(filters: Filters, image: Ints) -> Ints:
    """The same sums by slices of the padded image, from the codes themselves."""
    k, c, r, s = filters.codes.shape
    (pad_y, pad_x), (step_y, step_x) = filters.padding, filters.stride
    padded = np.pad(image, ((0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    rows, columns = filters.positions
    sums = np.zeros((k, rows, columns), np.int64)
    for out in range(k):
        group = out // (k // filters.groups)
        for row, column in product(range(rows), range(columns)):
            y, x = row * step_y, column * step_x
            part = padded[group * c : (group + 1) * c, y : y + r, x : x + s]
            sums[out, row, column] = (part * filters.codes[out]).sum()
    return sums


@given(convolutions(), st.integers(0, 99))
def test_weights_are_read_at_every_tap_of_every_window(filters: Filters, seed: int) -> None:
    """A walk that convolves an image reads as many weights as the formula says."""
    channels = filters.groups * filters.codes.shape[1]
    image = np.random.default_rng(seed).integers(0, 2, (channels, *filters.image))
    sums, reads, windows = walk(filters, image)
    assert np.array_equal(sums, convolved(filters, image))
    for name in CONVOLUTION_NAMES:
        both = convolution_passes(name, filters)
        assert both.forward.accesses[0].reads == both.forward.positions == reads
        assert (both.forward.rows, both.backward.rows) == (windows, windows)
        assert (both.backward.accesses[0].reads, both.backward.accesses[0].writes) == (reads, reads)


def layer(image: int, window: int = 3, filters: int = 32) -> Filters:
    """A layer of the published table: one channel, 8 bits, padding that keeps the size."""
    pad = (window // 2, window // 2)
    return Filters(np.zeros((filters, 1, window, window), np.int64), 8, (image, image), pad)


def test_taps_of_a_published_layer() -> None:
    """28 x 28 positions, 9 taps, 32 filters; the padding's taps too."""
    accesses = convolution_passes("func-pure", layer(28)).forward.accesses
    assert [access.reads for access in accesses] == [28 * 28 * 9 * 32]


def test_what_pb_csr_adds_by_hand() -> None:
    """The index of the filter, 5 bits of 288 words; backward windows, 4 in a word, and weights."""
    both, taps = convolution_passes("pb-csr", layer(28)), 28 * 28 * 9 * 32
    index = both.forward.accesses[1]
    assert (index.memory.words, index.memory.width, index.reads) == (288, 5, taps)
    assert [access.reads for access in both.backward.accesses] == [taps, taps, taps, taps // 4]
    assert both.backward.accesses[3].memory.words == 28 * 28 * 32 // 4


@pytest.mark.parametrize("name", CONVOLUTION_NAMES)
def test_a_larger_image_costs_in_proportion(name: str) -> None:
    """Time of all; energy of all but PB-CSR, whose table of windows grows."""
    small, large = (convolution_cost(name, layer(image), TABLE) for image in (28, 128))
    ratio = 128**2 / 28**2
    assert large.forward.time_ps == pytest.approx(ratio * small.forward.time_ps)
    assert large.forward.energy_pj == pytest.approx(ratio * small.forward.energy_pj)
    if name == "pb-csr":
        assert large.backward.energy_pj > 1.5 * ratio * small.backward.energy_pj
    else:
        assert large.backward.energy_pj == pytest.approx(ratio * small.backward.energy_pj)


def test_an_unknown_organisation_is_refused() -> None:
    """By a line that lists those of convolutions; a crossbar is none."""
    with pytest.raises(ConfigError, match="there are: pb-bmp, pb-csr, func-rowcol"):
        convolution_passes("crossbar", layer(28))
