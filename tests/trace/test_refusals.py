from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tlm.trace
from tlm.errors import TraceError
from tlm.trace import TraceWriter, schema

Write = Callable[..., TraceWriter]


def refusal(path: Path) -> str:
    """The one line a user sees."""
    with pytest.raises(TraceError) as caught:
        tlm.trace.open(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_a_folder_without_a_trace(tmp_path: Path) -> None:
    """The line names the file looked for and why it may be missing."""
    assert "--trace off leaves none" in refusal(tmp_path)


def test_not_hdf5(tmp_path: Path) -> None:
    """A text file is not a trace."""
    path = tmp_path / "trace.h5"
    path.write_text("id,begin\n")
    assert "not an HDF5 file" in refusal(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated(write: Write, tmp_path: Path, share: float) -> None:
    """A file cut short by a copy is refused, wherever it was cut."""
    write(40_000)
    path = tmp_path / "trace.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "damaged" in refusal(path)


def test_another_schema(tmp_path: Path) -> None:
    """HDF5 of some other program is told apart from a trace."""
    path = tmp_path / "trace.h5"
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = np.bytes_("tlm-workload")
    assert "got tlm-workload" in refusal(path)


def edit(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _newer(file: h5py.File) -> None:
    file.attrs["schema_version"] = 4


def _older(file: h5py.File) -> None:
    file.attrs["schema_version"] = 1


def _no_units(file: h5py.File) -> None:
    del file["units"]


def _linked(file: h5py.File) -> None:
    del file["units"]
    file["units"] = h5py.ExternalLink("/etc/passwd", "/units")


def _external(file: h5py.File) -> None:
    del file["config"]
    file.create_dataset("config", shape=(9,), dtype="u1", external=[("/etc/passwd", 0, 9)])


def _other_columns(file: h5py.File) -> None:
    del file["activity"]
    file["activity"] = np.zeros(3, dtype=[("unit", "<i2"), ("begin", "<f8")])


def _over_committed(file: h5py.File) -> None:
    file["committed"][...] = schema.committed_values([10**9, 0], True)


def _unstored(file: h5py.File) -> None:
    file["activity"].resize((10**9,))
    file["committed"][...] = schema.committed_values([0, 10**9], True)


def _fewer_committed(file: h5py.File) -> None:
    file["committed"][0] = 3


def _other_unit(file: h5py.File) -> None:
    units = file["units"][:]
    units["path"][0] = b"chip.core07.fp"
    file["units"][...] = units


def _impossible(column: str, value: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        table = file["activity" if column in ("unit", "what") else "transactions"]
        rows = table[:]
        rows[column][3] = value
        table[...] = rows

    return change


def _more_data(file: h5py.File) -> None:
    file["notes"] = np.zeros(3)


def _foreign_filter(file: h5py.File) -> None:
    del file["config"]
    file.create_dataset("config", data=np.zeros(99, "u1"), chunks=(99,), compression="lzf")


def _text_of_any_length(file: h5py.File) -> None:
    file.attrs["tlm_version"] = "0.1.0"


def _huge_config(file: h5py.File) -> None:
    del file["config"]
    file.create_dataset("config", shape=(1 << 42,), chunks=(1 << 20,), dtype="u1")


def _no_version(file: h5py.File) -> None:
    del file.attrs["schema_version"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_newer, "version 4 is newer than the 3 this tlm reads"),
        (_older, "version 1 is older than the 3 this tlm reads"),
        (_no_version, "schema_version"),
        (_no_units, "it holds activity, committed, config, transactions"),
        (_linked, "/units is missing or a link"),
        (_external, "/config is not a plain dataset"),
        (_other_columns, "/activity has columns"),
        (_over_committed, "/transactions lacks part of its 1000000000 committed rows"),
        (_unstored, "/activity lacks part of its 1000000000 committed rows"),
        (_huge_config, "/config has shape"),
        (_fewer_committed, "/committed does not have its own check sum"),
        (_other_unit, "/units does not have the digest units_sha256"),
        (_more_data, "it holds activity, committed, config, notes"),
        (_foreign_filter, "/config has filters"),
        (_text_of_any_length, "attribute tlm_version is not a text of fixed length"),
    ],
)
def test_hostile_or_damaged_files(
    write: Write, tmp_path: Path, change: Callable[[h5py.File], None], text: str
) -> None:
    """Whatever differs from the schema is named, before a byte of data is read."""
    write(10)
    assert text in refusal(edit(tmp_path / "trace.h5", change))


@pytest.mark.parametrize(
    ("column", "value"),
    [("unit", 9), ("what", 7), ("initiator", -1), ("target", 99), ("command", 6), ("phase", 99)],
)
def test_rows_that_name_nothing_are_refused(
    write: Write, tmp_path: Path, column: str, value: int
) -> None:
    """Whoever uses a row as an index may rely on it."""
    write(10)
    edit(tmp_path / "trace.h5", _impossible(column, value))
    with (
        tlm.trace.open(tmp_path) as trace,
        pytest.raises(TraceError, match=f"an impossible {column}"),
    ):
        _ = (trace.transactions, trace.activity)


def test_times_that_run_backwards_are_refused(write: Write, tmp_path: Path) -> None:
    """An interval ends no earlier than it begins."""
    write(10)
    edit(tmp_path / "trace.h5", _impossible("end_resp", 0))
    with (
        tlm.trace.open(tmp_path) as trace,
        pytest.raises(TraceError, match="ends before it begins"),
    ):
        _ = trace.transactions
