"""Maps of elements by rows: each row is what its start and the common places say, or is refused."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tlm.workload.capture.row_map import Origins, row_map
from tlm.workload.model import IntArray

SIZE, ROWS = 12, 5
"""Elements in a row of each of two origins, and how many rows each has."""

ORIGINS = Origins(np.array([0, SIZE * ROWS], np.int64), np.array([SIZE, SIZE], np.int64))


@st.composite
def maps(draw: st.DrawFn) -> IntArray:
    """Rows [N, C, H, W] that each read the same places, in each channel of some row, or nothing."""
    count, channels = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shape = (channels, 2, 2)
    nothing = st.sampled_from([-1, -2])
    places = st.lists(st.integers(-1, SIZE - 1), min_size=4 * channels, max_size=4 * channels)
    inside = np.array(draw(places), np.int64).reshape(shape)
    elements = np.full((count, *shape), draw(nothing), np.int64)
    for row in elements:
        for channel, its in zip(row, inside, strict=True):
            start = draw(st.integers(-1, 2 * ROWS - 1)) * SIZE
            if start >= 0:
                channel[its >= 0] = start + its[its >= 0]
    return elements


def put_together(elements: IntArray) -> IntArray | None:
    """The elements again, from what is said of them by rows."""
    by_row = row_map(elements, ORIGINS)
    if by_row is None:
        return None
    starts = ORIGINS.first[by_row.source_origins] + SIZE * by_row.source_rows
    read = (by_row.source_origins >= 0)[:, :, None, None] & (by_row.inside >= 0)
    return np.where(read, starts[:, :, None, None] + by_row.inside, -1)


@given(maps())
def test_rows_are_their_starts_and_common_places(elements: IntArray) -> None:
    """Whatever rows are read, in whatever arrangement, nothing is lost."""
    again = put_together(elements)
    assert again is not None
    np.testing.assert_array_equal(again, np.maximum(elements, -1))


@given(maps(), st.data())
def test_what_is_said_is_true_of_any_map(elements: IntArray, data: st.DataObject) -> None:
    """An element put elsewhere is refused, unless rows still agree; never is it overlooked."""
    at = tuple(data.draw(st.integers(0, size - 1)) for size in elements.shape)
    elements[at] = data.draw(st.integers(-1, 2 * ROWS * SIZE - 1))
    again = put_together(elements)
    if again is not None:
        np.testing.assert_array_equal(again, np.maximum(elements, -1))


def test_a_row_in_another_order_is_refused() -> None:
    """Two rows that read the same elements, the second backwards."""
    forwards = np.arange(4).reshape(1, 1, 2, 2)
    backwards = SIZE + forwards[:, :, ::-1, ::-1]
    assert row_map(np.concatenate((forwards, backwards)), ORIGINS) is None
