"""A trace that was never closed is shown to HDF5 as closed, and only if its head is whole."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

import tlm.trace
from tlm.errors import TraceError
from tlm.trace import TraceWriter, schema
from tlm.trace.unclosed import Unclosed, lookup3

WRITERS_MARK = 11  # byte of the superblock


@pytest.fixture
def unclosed(tmp_path: Path) -> Path:
    """What is on the disk while a writer has committed one chunk of intervals."""
    path = tmp_path / "left.h5"
    rows = [(0, i, i + 1, 0, 0, 0, 0, 0, 0, 0, i) for i in range(schema.CHUNK_ROWS)]
    living = TraceWriter(
        tmp_path / "live.h5",
        "phase",
        dict.fromkeys(schema.RUN_ATTRIBUTES, "x"),
        "",
        [("chip.x", "fp")],
    )
    living.activity.extend(rows)
    living.flush_if_due()
    shutil.copyfile(tmp_path / "live.h5", path)
    living.close(True)
    return path


def test_the_check_sum_is_that_of_its_author() -> None:
    """A value of the self-test in lookup3.c (Jenkins, 2006)."""
    assert lookup3(b"Four score and seven years ago") == 0x17770551


def test_committed_rows_are_read_and_the_file_stays_as_it_is(unclosed: Path) -> None:
    """The mark of the writer is still there afterwards."""
    before = unclosed.read_bytes()
    assert before[WRITERS_MARK]
    with tlm.trace.open(unclosed) as trace:
        assert not trace.complete
        assert len(trace.activity) == schema.CHUNK_ROWS
    assert unclosed.read_bytes() == before


@pytest.mark.parametrize("at", [9, 11, 20, 36, 44])
def test_a_head_that_was_changed_is_not_sealed_anew(unclosed: Path, at: int) -> None:
    """Sizes, mark, addresses and check sum itself."""
    data = bytearray(unclosed.read_bytes())
    data[at] ^= 16
    unclosed.write_bytes(data)
    with pytest.raises(ValueError, match="superblock"):
        Unclosed(unclosed)


def test_damage_is_refused_in_a_moment(unclosed: Path) -> None:
    """In SWMR mode HDF5 would try a wrong check sum again, longer each time, without end."""
    data = bytearray(unclosed.read_bytes())
    at = data.index(b"OHDR")
    data[at + 8] ^= 1
    unclosed.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(TraceError, match="damaged trace"):
        tlm.trace.open(unclosed)
    assert time.monotonic() - began < 5
