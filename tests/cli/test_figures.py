"""Commands about finished runs, and figures as JSON from every command that prints some."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import tlm
from tlm import open_run
from tlm.cli import main
from tlm.cli.doctor import findings
from tlm.running.repeat import prepare_recorded
from tlm.studies.relief_gains import simulate

ROOT = Path(tlm.__file__).parent.parent


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main(["run", "digits", "--out", str(folder), "--json"]) == 0
    return folder


def figures(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What a command prints, which must be JSON and nothing else."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_explain_ranks_what_relief_gains(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gains fall, and the critical path is the whole run."""
    found = figures(capsys, "explain", str(run_dir))
    gains = [row["time_saved"] for row in found["what_if"]]
    assert gains == sorted(gains, reverse=True) and found["unopened"] == ""
    settable = {row["resource"]: row["settings"] for row in found["what_if"]}
    assert settable["noc"] == ["noc.link=256 bit"] and settable["fp"] == []
    assert settable["nodes"] == ["dram.nodes=[1,9,10,18]"]
    assert sum(found["critical_path"].values()) == pytest.approx(1.0)


def test_explain_without_a_trace_says_what_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reliefs need no trace; the critical path is left out, in words."""
    folder = str(tmp_path / "run")
    assert main(["run", "mnist-fc", "--trace", "off", "--out", folder, "--json"]) == 0
    capsys.readouterr()
    found = figures(capsys, "explain", folder)
    assert found["critical_path"] is None and "--trace off" in found["partial_trace"]
    assert found["what_if"][0]["resource"] == "noc" and found["what_if"][0]["time_saved"] > 0.1
    assert main(["explain", folder]) == 0
    assert "The run left no trace (--trace off); the critical path" in capsys.readouterr().out


def test_explain_of_a_trace_that_is_gone_is_refused(run_dir: Path, tmp_path: Path) -> None:
    """The run had left one."""
    folder = shutil.copytree(run_dir, tmp_path / "run")
    (folder / "trace.h5").unlink()
    assert main(["explain", str(folder)]) == 2


@pytest.mark.parametrize("activity", ["recorded", "dense", "ann"])
def test_explain_places_the_job_as_the_run_did(
    run_dir: Path, tmp_path: Path, activity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job placed by a file, counterfactual or not, runs again on the cores of its own run."""
    document = YAML(typ="safe").load((run_dir / "mapping.yaml").read_text())
    for layer in document["layers"]:
        layer["cores"].reverse()
    del document["chosen"], document["derived"]
    (tmp_path / "mine.yaml").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    words = ["run", "digits", "--mapping", "mine.yaml", "--activity", activity, "--out", "run"]
    assert main([*words, "--json"]) == 0
    prepared = prepare_recorded(tmp_path / "run", None)
    assert simulate(prepared).makespan_ps == open_run(tmp_path / "run").summary.time.makespan_ps
    cores = [list(layer.cut.grid.cores) for layer in prepared.plan.layers]
    assert cores == [layer["cores"] for layer in document["layers"]]


def test_explain_refuses_a_run_that_was_changed(run_dir: Path, tmp_path: Path) -> None:
    """A mapping that is no longer the one that was run explains nothing."""
    changed = shutil.copytree(run_dir, tmp_path / "run")
    with (changed / "mapping.yaml").open("a") as file:
        file.write("# edited\n")
    assert main(["explain", str(changed)]) == 2


def test_explain_refuses_a_run_of_another_job(run_dir: Path, tmp_path: Path) -> None:
    """The job named must be the one that was run, by its checksum."""
    assert main(["explain", str(run_dir), "--workload", "mnist-fc"]) == 2
    assert main(["explain", str(tmp_path)]) == 2


def test_compare_prints_the_sum(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run beside itself differs by nothing; one folder alone is a mistake."""
    assert main(["compare", str(run_dir), str(run_dir)]) == 0
    assert "+0.00%" in capsys.readouterr().out
    (found,) = figures(capsys, "compare", str(run_dir), str(run_dir))
    assert {row["change"] for row in found["time_ps"]} == {0}
    assert main(["compare", str(run_dir)]) == 2


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["presets"], "chips"),
        (["workload", "info", "digits"], "densities"),
        (["gpu", "digits"], "kernels"),
    ],
)
def test_figures_as_json(capsys: pytest.CaptureFixture[str], words: list[str], key: str) -> None:
    """--json prints one document."""
    assert figures(capsys, *words)[key]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["noc", "--mesh", "2x2", "--rate", "0.1", "--cycles", "200", "--warmup", "50"], "latency"),
        (["dram", "--pattern", "rand_rd", "--count", "100"], "total_gb_s"),
    ],
)
def test_curves_as_json(capsys: pytest.CaptureFixture[str], words: list[str], key: str) -> None:
    """A curve is a list of points by name."""
    (point,) = figures(capsys, *words)
    assert point[key] > 0


def test_a_run_as_json_holds_its_summary(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`run --json --report` prints figures to stdout, the page's path to stderr."""
    words = ["run", "digits", "--out", str(tmp_path / "run"), "--json", "--report"]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["summary"]["status"] == "ok"
    assert captured.err.strip() == str(tmp_path / "run" / "report.html")


def test_doctor_finds_nothing_wrong_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fault on a machine that runs the tests; HDF5 has the filters that traces need."""
    monkeypatch.chdir(tmp_path)
    assert "fault" not in {one.state for one in findings()}
    found = {one["what"]: one["detail"] for one in figures(capsys, "doctor")}
    assert "gzip, shuffle" in found["HDF5"] and "writable" in found["folder"]


def test_doctor_names_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is not there is a fault, said with its remedy, and exit code 2."""
    monkeypatch.setattr(sys.modules["tlm.cli.doctor"], "PACKAGES", ("no-such-package",))
    assert main(["doctor"]) == 2
    assert "missing: pip install no-such-package" in capsys.readouterr().out


def test_the_shell_completes_commands_and_jobs() -> None:
    """What a completed shell asks of the script `tlm` is answered: commands, then job names."""
    for typed, place, expected in (("tlm exp", 1, "explain"), ("tlm run mnist-csnn-a", 2, "atan")):
        asked = {"_TLM_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place)}
        done = subprocess.run(
            [sys.executable, "-m", "tlm"],
            env={**os.environ, **asked, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected in done.stdout, done.stderr


def test_no_colour_off_terminals(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes to a pipe holds no escape codes."""
    for words in (["compare", str(run_dir), str(run_dir)], ["doctor"], ["presets"]):
        assert main(words) == 0
        assert "\x1b" not in capsys.readouterr().out


DEPTHWISE = """
from tlm.workload.builder import Builder
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network
net = Builder((3, 8, 8), lif_neuron())
net.conv(24, 3, 1, 1)
net.conv(24, 3, 2, 1, groups=24)
net.linear(10, readout=True)
layers = tuple(net.layers)
NETWORK = Network("depthwise", layers, batch=2, steps=3, encoding="direct", source="test")
"""


def test_a_depthwise_network_runs_to_its_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grouped convolutions of stride 2: all laws hold, and the GPU baseline stands beside."""
    (tmp_path / "net.py").write_text(DEPTHWISE, "utf-8")
    words = ["run", f"{tmp_path / 'net.py'}:dense", "--trace", "off"]
    run = figures(capsys, *words, "--out", str(tmp_path / "json"))
    assert run["summary"]["status"] == "ok" and run["gpu"]["time_s"] > 0
    assert main([*words, "--out", str(tmp_path / "screen")]) == 0
    assert "A100" in capsys.readouterr().out
