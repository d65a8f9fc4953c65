"""``map`` and ``run --mapping``: a mapping compared, shown, written, and read back."""

from __future__ import annotations

import json
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import tlm.studies.mapping_search
from tlm.cli import main
from tlm.running.request import RunProgress, RunRequest, RunResult
from tlm.running.runner import Listener
from tlm.workload.model import Workload

STEPS = ["--set", "mapping.search_steps=30"]
NOTHING_BETTER = "nothing better than the default was found"


def summary_of(folder: Path) -> dict[str, dict[str, float]]:
    """The figures of a run."""
    document: dict[str, dict[str, float]] = json.loads((folder / "summary.json").read_text())
    return document


def test_what_is_printed_runs_and_gives_what_was_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chip of a file, settings of chip and mapping, an iteration: the command has them all."""
    chip = tmp_path / "my chip.yaml"
    chip.write_text("extends: neuromc-20\nname: mine\ndram: {channels: 2}\n")
    options = ["--chip", str(chip), "--iteration", "0", *STEPS, "--set", "noc.link=256 bit"]
    options += ["--set", "mapping.schedule=pipelined", "--set", "mapping.group=4"]
    best = tmp_path / "best.yaml"
    words = ["map", "mnist-fc", "--simulate", "1", *options, "--out", str(best)]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "30 mappings compared by estimated time, 3 simulated" in shown.out
    assert shown.err.splitlines() == [
        "simulating default",
        "simulating layerwise",
        "comparing mappings by estimate",
        "simulating estimate 1",
    ]
    command = shlex.split(shown.out.splitlines()[-1])
    assert command[:3] == ["python", "-m", "tlm"]
    assert main([*command[3:], "--out", str(tmp_path / "printed")]) == 0
    chosen = YAML(typ="safe").load(best.read_text())["chosen"]
    assert chosen["compared"] == 30
    first, *others = chosen["simulated"]
    assert len(others) == 2 and chosen["by"] == first["name"]
    summary = summary_of(tmp_path / "printed")
    assert first["time_ps"] == summary["time"]["makespan_ps"]
    assert first["energy_pj"] == round(summary["energy"]["total_pj"])
    assert all(first["time_ps"] <= other["time_ps"] for other in others)


def test_a_mapping_read_back_gives_equal_bytes(tmp_path: Path) -> None:
    """A run by a file, and a run by the file that this run left."""
    best, first, second = (tmp_path / name for name in ("best.yaml", "first", "second"))
    assert main(["map", "digits", *STEPS, "--simulate", "1", "--out", str(best)]) == 0
    for mapping, out in ((best, first), (first / "mapping.yaml", second)):
        assert main(["run", "digits", "--mapping", str(mapping), "--out", str(out)]) == 0
    for name in ("summary.json", "energy.csv", "stats.csv", "trace.h5", "mapping.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_if_nothing_is_better_the_default_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within a budget of nothing; a run by the file is the run without one."""
    best = tmp_path / "best.yaml"
    assert main(["map", "digits", "--budget", "0s", "--out", str(best)]) == 0
    assert NOTHING_BETTER in capsys.readouterr().out
    assert YAML(typ="safe").load(best.read_text())["chosen"]["by"] == "default"
    mapped, plain = tmp_path / "mapped", tmp_path / "plain"
    options = ["--trace", "off", "--out"]
    assert main(["run", "digits", "--mapping", str(best), *options, str(mapped)]) == 0
    assert main(["run", "digits", *options, str(plain)]) == 0
    assert (mapped / "energy.csv").read_bytes() == (plain / "energy.csv").read_bytes()
    assert summary_of(mapped)["time"] == summary_of(plain)["time"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--simulate", "2", "--budget", "9s"], "--simulate, --budget: both say how many"),
        (["--budget", "9"], "--budget: expected a time with its unit"),
        (["--set", "mapping.search=local"], "--set: mapping.search: give it as --search"),
        (["--set", "mapping.objective=edp"], "--set: mapping.objective: give it as --objective"),
        (["--set", "mapping.group=2"], "--set: mapping.group: has no effect"),
        (["--from", "mine.yaml", "--out", "./mine.yaml"], "--out: mine.yaml: is a file of --from"),
        (["--from", "mine.yaml"], "mine.yaml: workload, chip, mapping, layers: missing"),
        (["--from", "none.yaml"], "none.yaml: "),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    line: str,
) -> None:
    """Exit code 2 before anything is simulated, and no file."""
    monkeypatch.chdir(tmp_path)
    mine = "schema: tlm-mapping\nschema_version: 2\n"
    Path("mine.yaml").write_text(mine)
    assert main(["map", "digits", *options]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"tlm: {line}")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
    assert Path("mine.yaml").read_text() == mine


def interrupt(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Send a SIGTERM from the middle of the simulation of that number, counted from 1."""
    run_request, requests = tlm.studies.mapping_search.run_request, list[RunRequest]()

    def ask(_: RunProgress) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def run(request: RunRequest, out: Path, workload: Workload, listener: Listener) -> RunResult:
        requests.append(request)
        if len(requests) == number:
            listener = replace(listener, on_progress=ask)
        return run_request(request, out, workload, listener)

    monkeypatch.setattr(tlm.studies.mapping_search, "run_request", run)


def test_an_interrupted_search_writes_the_best_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is whole, the exit code is the signal's, the last line says what there is."""
    interrupt(monkeypatch, 2)
    best = tmp_path / "best.yaml"
    assert main(["map", "nmnist-cnn", *STEPS, "--out", str(best)]) == 143
    shown = capsys.readouterr()
    last = "tlm: interrupted: the best is that of the 1 simulated until then"
    assert shown.err.splitlines()[-1] == last
    assert "1 simulated" in shown.out and f"written: {best}" in shown.out
    assert YAML(typ="safe").load(best.read_text())["chosen"]["by"] == "default"


def test_a_search_interrupted_in_its_first_simulation_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so."""
    interrupt(monkeypatch, 1)
    assert main(["map", "nmnist-cnn", *STEPS, "--out", str(tmp_path / "best.yaml")]) == 143
    last = "tlm: interrupted before a mapping was simulated; nothing was written"
    assert capsys.readouterr().err.splitlines()[-1] == last
    assert not list(tmp_path.iterdir())


def test_a_bad_mapping_file_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line, no run folder."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("schema: tlm-mapping\nschema_version: 2\n")
    folder = tmp_path / "run"
    assert main(["run", "mnist-fc", "--mapping", str(bad), "--out", str(folder)]) == 2
    assert "workload, chip, mapping, layers: missing; add them" in capsys.readouterr().err
    assert not folder.exists()
