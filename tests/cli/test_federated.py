"""``tlm federated``: the answer first, within 80 columns, as JSON, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.federated.recording import write_chip, write_recording
from tlm.cli import main

PLAN = """recording: {place}/fed
chip: {place}/small.yaml
slow: {{worker1: 4.0}}
links: {{worker2: {{bandwidth: 1 Mbit/s}}}}
drop: {{worker0: {{round: 3, at: 0.5}}}}
deadline: 100 ms
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, a chip and a plan with a straggler, a slow link and a drop-out."""
    folder = tmp_path_factory.mktemp("screens")
    write_recording(folder / "fed")
    write_chip(folder / "small.yaml")
    (folder / "plan.yaml").write_text(PLAN.format(place=folder))
    return folder


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_says_what_it_took_and_who_held_it_up(
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    """No line is wider than the screen; slow links and drop-outs are named."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.chdir(tmp_path)
    assert main(["federated", str(place / "plan.yaml"), "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    text = " ".join(" ".join(lines).split())
    assert lines[0].startswith("OK  ") and max(map(len, lines)) <= width
    assert "3 x small in a star, 3 rounds, modelled, not measured" in text
    assert "accuracy 50.0% after round 2, 10.0% before" in text
    assert "after that unknown: recorded are means of all workers, and round 3" in text
    assert "worker2 held up rounds 1, 2: up to" in text
    assert (
        "more of network than the median of the others; its links have bandwidth 1 Mbit/s" in text
    )
    assert "The deadline ended round 3: worker0 had not answered." in text
    assert "dropped out" in text and (tmp_path / "runs" / "fed-fedavg").is_dir()


def test_json_holds_all_figures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else on standard output."""
    words = ["federated", str(place / "plan.yaml"), "--json", "--out", str(tmp_path / "out")]
    assert main([*words, "--jobs", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["summary"] == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert figures["cost"]["iterations"] == 6


def test_mistakes_are_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no folder."""
    (place / "bad.yaml").write_text(f"recording: {place}/fed\nnetwork: {{topology: mesh}}\n")
    for source in ("fed-nothing", str(place / "bad.yaml"), str(place / "none.yaml")):
        assert main(["federated", source]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_federated_run_is_not_taken_for_a_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verbs that read the folder of one chip's run say so; a single iteration's run is one."""
    out = tmp_path / "out"
    assert main(["federated", str(place / "plan.yaml"), "--out", str(out), "--jobs", "1"]) == 0
    capsys.readouterr()
    for verb in ("explain", "report", "rerun", "plot"):
        assert main([verb, str(out)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["plot", str(next((out / "iterations").iterdir()))]) == 0
