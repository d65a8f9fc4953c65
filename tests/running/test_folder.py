"""The run folder: names that stay inside, one run to a folder, a death that shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tlm
from tlm.errors import TraceError
from tlm.running.folder import LOCK_NAME, create, folder_name, is_locked, release, write_atomic
from tlm.running.manifest import read_manifest


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mnist-fc-neuromc-20", "mnist-fc-neuromc-20"),
        ("../../etc/x", "etc-x"),
        ("/abs/olute", "abs-olute"),
        (".hidden", "hidden"),
        ("a\nb\x00c", "a-b-c"),
        ("..", "run"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_name_cannot_leave_the_folder(text: str, name: str) -> None:
    """Whatever a recorded job calls itself, its run lies under ``runs``."""
    assert folder_name(text) == name


def test_runs_of_one_name_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has its own folder."""
    monkeypatch.chdir(tmp_path)
    one, two = create(None, "job"), create(None, "job")
    assert [str(one), str(two)] == ["runs/job", "runs/job-2"]
    release(one)
    release(two)
    assert [list(folder.iterdir()) for folder in (one, two)] == [[], []]


def test_two_runs_told_to_write_one_folder(tmp_path: Path) -> None:
    """The second is refused and named the first; the first goes on."""
    out = tmp_path / "run"
    create(out, "job")
    with pytest.raises(TraceError, match=rf"process {os.getpid()} on .* writes here.*--out"):
        create(out, "job")
    assert is_locked(out)
    release(out)
    assert not is_locked(out)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0o027])
def test_files_have_the_rights_of_the_umask(tmp_path: Path, umask: int) -> None:
    """Neither more, which would show a run to others, nor less."""
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a.csv", "a\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o666 & ~umask
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    """A path below a file cannot be made by anybody, root included."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TraceError, match=r"cannot make the run folder .*; give a writable --out"):
        create(tmp_path / "file" / "run", "job")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    """The system's reason is told."""
    tmp_path.chmod(0o555)
    with pytest.raises(TraceError, match="Permission denied"):
        create(tmp_path / "run", "job")


def test_a_killed_run_is_told_from_a_running_one(tmp_path: Path) -> None:
    """The lock goes with its process, so a manifest that says running is believed or not."""
    out = tmp_path / "run"
    script = (
        "import sys, time; from pathlib import Path; from tlm.running.folder import create;"
        "from tlm.running.cost import RunCost; from tlm.running.request import RunRequest;"
        "from tlm.running.manifest import Manifest, RunInputs;"
        "out = create(Path(sys.argv[1]), 'x');"
        "inputs = RunInputs('', '', 0, '', '', '', '', '', '', None);"
        "Manifest(out, RunRequest('x'), inputs, RunCost(0, 0, 0.0, 0, 0));"
        "print('ready', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(tlm.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(out)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert read_manifest(out)["status"] == "running"
        process.kill()
    assert read_manifest(out)["status"] == "killed"
    with pytest.raises(TraceError, match="was killed while it wrote here"):
        create(out, "job")
    assert (out / LOCK_NAME).exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"schema": "tlm-manifest", "status": "fine"}',
        "[" * 100_000,
        json.dumps({"schema": "tlm-summary"}),
        " " * (2 << 20),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    """One line that names the file."""
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(TraceError, match=r"manifest\.json: ") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)
