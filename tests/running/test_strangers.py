"""A run folder from a stranger: nothing that it names is run, or opened outside of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.samples import QUICK
from tests.workload.test_synthetic import NETWORK
from tlm.cli import main
from tlm.errors import TlmError
from tlm.running.repeat import prepare_recorded
from tlm.running.results import file_digest
from tlm.running.runner import run_job
from tlm.workload import open_shipped, open_workload


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a network described by a program of one's own."""
    folder = tmp_path_factory.mktemp("mine")
    program = folder / "mine.py"
    program.write_text(NETWORK.replace("8, 5,", "1, 2,"))
    return run_job(f"{program}:bernoulli(0.1)", overrides=QUICK, out=folder / "run").folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a job that ships."""
    return run_job("mnist-fc", overrides=QUICK, out=tmp_path_factory.mktemp("runs") / "run").folder


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Path]:
    """A program that leaves a mark where it is run; the mark must not be there afterwards."""
    path, mark = tmp_path / "evil.py", tmp_path / "mark"
    path.write_text(f"open({str(mark)!r}, 'w')\n{NETWORK}")
    yield path
    assert not mark.exists()


def sent(folder: Path, place: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a run folder whose manifest a stranger has changed."""
    copy = Path(shutil.copytree(folder, place / "sent"))
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize(
    ("verb", "words"),
    [("report", "{}:dense")]
    + [
        (verb, words)
        for verb in ("rerun", "explain")
        for words in ("{}:dense", "{}[B=1]:dense", "s-vgg16:like({}:dense)", "{name}:dense")
    ],
)
def test_no_program_named_by_a_manifest_is_run(
    plain: Path,
    trap: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    words: str,
) -> None:
    """Neither by the request nor by the inputs, by no path; what cannot go on says what to do."""
    monkeypatch.chdir(tmp_path)
    named = words.format(trap, name=trap.name)

    def change(manifest: dict[str, Any]) -> None:
        manifest["request"]["workload"] = manifest["inputs"]["workload"] = named
        manifest["cwd"] = str(tmp_path)

    folder = sent(plain, tmp_path, change)
    code = main([verb, str(folder)])
    out, text = capsys.readouterr()
    if verb == "report":
        assert code == 0 and "neither opened nor run" in (folder / "report.html").read_text()
    elif verb == "explain":
        words = " ".join(out.split())
        assert code == 0 and "neither opened nor run" in words and "--workload" in words
        assert "Critical path" in words and "time saved" not in words
    else:
        assert code == 2 and text.count("\n") == 1 and "--workload" in text


def test_a_name_in_a_file_is_no_path(trap: Path, mine: Path) -> None:
    """What ships is opened by its name; a path is not, whatever lies there."""
    assert open_shipped("s-vgg16:dense").name
    for name in (f"{trap}:dense", str(mine / "job.json"), "like(mnist-fc)", "", "a:b", "\x1b[2J"):
        with pytest.raises(TlmError, match="neither opened nor run"):
            open_shipped(name)


def test_a_network_of_ones_own_runs_again_as_data(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program is gone; the folder's job.json stands for it, in every verb and by itself."""
    (mine.parent / "mine.py").rename(mine.parent / "kept.py")
    try:
        assert main(["rerun", str(mine)]) == 0
        assert prepare_recorded(mine, None).workload.name == "mine"
    finally:
        (mine.parent / "kept.py").rename(mine.parent / "mine.py")
    words = f"{mine.parent / 'mine.py'}:bernoulli(0.1)"
    assert open_workload(str(mine / "job.json")) == open_workload(words)
    assert main(["rerun", str(mine), "--workload", words]) == 0
    assert main(["rerun", str(mine), "--workload", "mnist-fc"]) == 2
    assert "workload_sha256" in capsys.readouterr().err


def test_a_changed_description_is_refused(
    mine: Path, trap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even with its digest: the job is another one, and what it names is not run."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["results"]["job.json"] = file_digest(folder / "job.json")

    folder = Path(shutil.copytree(mine, tmp_path / "run"))
    for activity in ("dense", f"like({trap}:dense)"):
        job = json.loads((folder / "job.json").read_text())
        (folder / "job.json").write_text(json.dumps(job | {"activity": activity}))
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        assert main(["rerun", str(folder)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("verb", ["rerun", "explain", "report", "compare", "plot", "export"])
@pytest.mark.parametrize("name", ["summary.json", "trace.h5", ".lock", "plots/a.png"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_nothing_leads_out_of_the_folder(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, name: str, kind: str
) -> None:
    """A link to a secret, or a pipe that would keep a reader waiting, is refused by name."""
    folder = Path(shutil.copytree(plain, tmp_path / "run"))
    (folder / name).unlink(missing_ok=True)
    (folder / "plots").mkdir()
    if kind == "link":
        secret = tmp_path / "secret"
        secret.write_text("the secret")
        (folder / name).symlink_to(secret)
    else:
        os.mkfifo(folder / name)
    words = {
        "compare": ["compare", str(plain), str(folder)],
        "plot": ["plot", str(folder)],
        "export": ["export", str(folder), "--csv"],
    }.get(verb, [verb, str(folder)])
    assert main(words) == 2
    text = capsys.readouterr().err
    assert f"{name}: a link, pipe or device" in text and "secret" not in text
