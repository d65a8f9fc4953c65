from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tlm.trace
from tlm.errors import TraceError
from tlm.trace import TraceWriter

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
        file.attrs["schema"] = "tlm-workload"
    assert "got tlm-workload" in refusal(path)


def edit(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _newer(file: h5py.File) -> None:
    file.attrs["schema_version"] = 2


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
    file["committed"][...] = [10**9, 0]


def _unstored(file: h5py.File) -> None:
    file["activity"].resize((10**9,))
    file["committed"][...] = [0, 10**9]


def _huge_config(file: h5py.File) -> None:
    del file["config"]
    file.create_dataset("config", shape=(1 << 42,), chunks=(1 << 20,), dtype="u1")


def _no_version(file: h5py.File) -> None:
    del file.attrs["schema_version"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_newer, "version 2 is newer than the 1 this tlm reads"),
        (_no_version, "schema_version"),
        (_no_units, "/units is missing or a link"),
        (_linked, "/units is missing or a link"),
        (_external, "/config is not a plain dataset"),
        (_other_columns, "/activity has columns"),
        (_over_committed, "/transactions lacks part of its 1000000000 committed rows"),
        (_unstored, "/activity lacks part of its 1000000000 committed rows"),
        (_huge_config, "/config has shape"),
    ],
)
def test_hostile_or_damaged_files(
    write: Write, tmp_path: Path, change: Callable[[h5py.File], None], text: str
) -> None:
    """Whatever differs from the schema is named, before a byte of data is read."""
    write(10)
    assert text in refusal(edit(tmp_path / "trace.h5", change))
