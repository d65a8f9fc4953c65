"""Bad input of a run: one line with file, key and remedy, exit code 2, nothing left behind."""

from pathlib import Path

import h5py
import pytest

from tlm.cli import main
from tlm.workload.bundled import bundled_folder

JOB = "mnist-fc"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr of a refused command line."""
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tlm: ")
    return line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, which a refused run must leave as it is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("override", "key", "remedy"),
    [
        ("noc.lnik=128 bit", "noc.lnik", "did you mean"),
        ("core.clock=500", "core.clock", "unit"),
        ("core.memory.spikes=-1 Kib", "core.memory.spikes", "got"),
        ("cores=21", "cores", "mesh"),
        ("mapping.split=columns", "mapping.split", "auto"),
        ("dram.device=DDR9", "dram.device", "there are"),
    ],
)
def test_a_wrong_value_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], override: str, key: str, remedy: str
) -> None:
    """Unknown key, missing unit, negative size, too many cores: named with what to do."""
    line = refused(capsys, "run", JOB, "--set", override)
    assert key in line
    assert remedy in line
    assert list(here.iterdir()) == []


def test_a_missing_energy_action_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that lacks an action the model counts stops the run before it begins."""
    import tlm.config

    text = (Path(tlm.config.__file__).parent / "energy" / "neuromc.yaml").read_text()
    lines = text.splitlines()
    lines.remove(next(line for line in lines if "    mac_add:" in line))
    (here / "mine.yaml").write_text("\n".join(lines) + "\n")
    line = refused(capsys, "run", JOB, "--set", "energy=mine.yaml")
    assert "fp.mac_add" in line
    assert "mine.yaml" in line
    assert [path.name for path in here.iterdir()] == ["mine.yaml"]


def test_a_truncated_workload_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a file is named as such."""
    whole = (bundled_folder() / f"{JOB}.h5").read_bytes()
    (here / "half.h5").write_bytes(whole[: len(whole) // 2])
    assert "half.h5" in refused(capsys, "run", "half.h5")
    assert [path.name for path in here.iterdir()] == ["half.h5"]


def test_what_is_not_hdf5_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any other file is named as such."""
    (here / "text.h5").write_text("not a workload\n")
    line = refused(capsys, "run", "text.h5")
    assert "text.h5" in line
    assert "HDF5" in line


def test_a_newer_schema_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of a later schema version names both versions."""
    newer = here / "newer.h5"
    newer.write_bytes((bundled_folder() / f"{JOB}.h5").read_bytes())
    with h5py.File(newer, "r+") as file:
        file.attrs["schema_version"] = 99
    line = refused(capsys, "run", "newer.h5")
    assert "newer.h5" in line
    assert "99" in line


def test_an_unknown_iteration_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line lists the iterations there are."""
    assert "recorded are" in refused(capsys, "run", JOB, "--iteration", "77")


def test_a_run_is_never_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An output folder that holds anything is refused, and keeps it."""
    (here / "old").mkdir()
    (here / "old" / "summary.json").write_text("mine")
    assert "--out" in refused(capsys, "run", JOB, "--out", "old")
    assert (here / "old" / "summary.json").read_text() == "mine"
