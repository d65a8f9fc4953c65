"""Matrices in NumPy's format: what numpy.save writes is read, all else is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from tlm.errors import WorkloadError
from tlm.workload.weight_file import read_matrix

KINDS = ["<f2", "<f4", ">f8", "|i1", "<i2", ">i4", "<i8", "|u1", "<u2"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_saves_is_read(tmp_path: Path, kind: str, order: str) -> None:
    """Either order of bytes and of axes."""
    matrix = np.asarray(np.arange(6).reshape(2, 3), kind, order=order)
    np.save(tmp_path / "a.npy", matrix)
    assert np.array_equal(read_matrix(tmp_path / "a.npy"), matrix)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_the_format_are_read(tmp_path: Path, version: tuple[int, int]) -> None:
    """They differ in the length of their header."""
    matrix = np.ones((2, 3))
    with (tmp_path / "a.npy").open("wb") as file:
        npy.write_array(file, matrix, version)
    assert np.array_equal(read_matrix(tmp_path / "a.npy"), matrix)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.ones(3), r'array of type "<f8" and shape \(3,\)'),
        (np.ones((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
        (np.ones((2, 2), complex), 'type "<c16"'),
        (np.ones((2, 2), bool), r'type "\|b1"'),
        (np.array([["a", "b"]]), 'type "<U1"'),
        (np.ones((2, 2), [("a", "<i4")]), "in NumPy's .npy format; write it with numpy.save"),
        (np.array([[{}, 1]], object), r'type "\|O"'),
    ],
)
def test_arrays_that_are_no_matrix_of_numbers_are_refused(
    tmp_path: Path, array: np.ndarray, text: str
) -> None:
    """With type and shape; what is pickled is not looked at."""
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(WorkloadError, match=text):
        read_matrix(tmp_path / "a.npy")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    """With the bytes it should have."""
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 3)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WorkloadError, match="2 x 3 has 48 bytes, the file 47; it is cut short"):
        read_matrix(path)


def test_a_shape_that_promises_too_much_takes_no_memory(tmp_path: Path) -> None:
    """A header of a few bytes asks for 10^24 numbers: refused by the length of the file."""
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 3)))
    shape = b"(999999999999, 999999999999), }"
    path.write_bytes(path.read_bytes().replace(b"(2, 3), }".ljust(len(shape)), shape))
    with pytest.raises(WorkloadError, match="it is cut short or damaged"):
        read_matrix(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """None, or a folder."""
    with pytest.raises(WorkloadError, match="no such file"):
        read_matrix(tmp_path / "a.npy")
    with pytest.raises(WorkloadError, match="no regular file"):
        read_matrix(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 127), byte=st.integers(0, 255))
def test_a_damaged_header_is_read_or_refused(tmp_path: Path, place: int, byte: int) -> None:
    """Whichever byte of the header changes, to whichever value."""
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 3)))
    data = bytearray(path.read_bytes())
    data[place] = byte
    path.write_bytes(data)
    try:
        assert read_matrix(path).size * read_matrix(path).itemsize == 48
    except WorkloadError as error:
        assert "\n" not in str(error)
