"""A whole federated run: chips in processes, its folder, and the same bytes however it is run."""

from __future__ import annotations

import csv
import json
import multiprocessing
import signal
from pathlib import Path

import pytest

import tlm.trace
from tests.federated.test_plan_file import plan_file
from tlm.errors import InterruptedRunError, OutOfMemoryError, TlmError
from tlm.federated import prepare_federation, run_federation
from tlm.federated.files import read_federated_summary
from tlm.federated.local import LocalTask, simulate_iteration, simulate_iterations
from tlm.running.interrupts import StopRequest
from tlm.running.runner import run_job
from tlm.space.phase import Command
from tlm.workload.federated import federated_names, open_federated
from tlm.workload.file.reader import read_workload

IDEAL = (
    "network: {bandwidth: unlimited, latency: 0 s, bit_energy: 0 pJ}\n"
    "server: {adds_per_s: unlimited}"
)


def test_one_worker_on_an_ideal_network_is_the_run_of_its_chip(place: Path, tmp_path: Path) -> None:
    """Time and energy of every round are those of ``run``, times the local iterations."""
    chip = place / "small.yaml"
    source = plan_file(place, f"chip: {chip}\nworkers: 1\n{IDEAL}")
    summary = run_federation(prepare_federation(source), tmp_path / "fed").summary
    assert summary.ok and [row.iterations for row in summary.workers] == [3, 3, 3]
    expected_ps = 0
    for item, iteration in zip(summary.rounds, (1, 4, 4), strict=True):
        job = read_workload(place / "fed" / "dirichlet" / "worker0.h5")
        alone = run_job(job, chip=str(chip), iteration=iteration, trace="off",
                        out=tmp_path / f"alone{item.number}").summary  # fmt: skip
        expected_ps += 3 * alone.time.makespan_ps
        assert item.end_ps == expected_ps
        assert item.energy_pj == pytest.approx(3 * alone.energy.total_pj, rel=1e-12)


def test_figures_hang_neither_on_processes_nor_on_the_folder(place: Path, tmp_path: Path) -> None:
    """The same bytes from one process and from two; of each iteration's run as well."""
    source = plan_file(place, f"chip: {place / 'small.yaml'}\nnetwork: {{loss: 0.1}}")
    folders = [tmp_path / "a", tmp_path / "b" / "c"]
    names: list[str] = []
    for jobs, folder in zip((1, 2), folders, strict=True):
        result = run_federation(prepare_federation(source, jobs), folder, names.append)
        assert result.ok and result.cost.iterations == 6
    assert names == [*names[:7], *names[:7]] and names[6] == "network"
    files = ["summary.json", "rounds.csv", "trace.h5"]
    runs = sorted(path.name for path in (folders[0] / "iterations").iterdir())
    files += [f"iterations/{run}/{name}" for run in runs for name in ("summary.json", "energy.csv")]
    for name in files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_a_folder_holds_summary_rounds_and_manifest(place: Path, tmp_path: Path) -> None:
    """All figures in plain files; the manifest says what was asked and has their digests."""
    source = plan_file(place, f"chip: {place / 'small.yaml'}\nrounds: 2")
    result = run_federation(prepare_federation(source, 1), tmp_path / "fed")
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary["schema"] == "tlm-federated-summary" and summary["status"] == "ok"
    assert summary["plan"]["network"]["bandwidth"] == "1 Gbit/s"
    assert read_federated_summary(result.folder) == result.summary
    with (result.folder / "rounds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["round"], row["worker"]) for row in rows] == [
        (str(number), str(worker)) for number in (1, 2) for worker in range(3)
    ]
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["schema"] == "tlm-federated-manifest" and manifest["status"] == "ok"
    assert {*manifest["results"]} == {"summary.json", "rounds.csv", "trace.h5"}
    assert manifest["inputs"]["recording_sha256"] == summary["recording"]["sha256"]
    for part in summary["iterations"]:
        assert (result.folder / part["run"] / "summary.json").is_file()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not readable as JSON"),
        ('{"schema": "tlm-summary"}', "expected JSON of schema 'tlm-federated-summary'"),
        ('{"schema": "tlm-federated-summary"}', "status: Field required"),
    ],
)
def test_a_summary_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """In one line with the file; as is a folder without one."""
    with pytest.raises(TlmError, match="no such file"):
        read_federated_summary(tmp_path)
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(TlmError, match=says):
        read_federated_summary(tmp_path)


def test_layers_are_updated_when_the_run_of_the_chip_says(place: Path, tmp_path: Path) -> None:
    """The last update is the end of the phase; a layer's dW has arrived where it is summed."""
    task = LocalTask(
        place / "fed" / "iid" / "worker1.h5", 1, str(place / "small.yaml"), tmp_path / "r"
    )
    made = simulate_iteration(task)
    phases = json.loads((tmp_path / "r" / "summary.json").read_text())["time"]["phases"]
    with tlm.trace.open(tmp_path / "r") as trace:
        sums = trace.transactions[trace.transactions["command"] == Command.WEIGHT_GRADIENT]
    for index, layer in enumerate(made.layers):
        assert layer.gradient_ps >= sums["end_resp"][sums["layer"] == index].max(initial=0)
    assert len(sums)
    assert max(layer.gradient_ps for layer in made.layers) >= phases["wg"]["end_ps"]
    assert max(layer.update_ps for layer in made.layers) == phases["update"]["end_ps"]
    assert all(0 < layer.gradient_ps < layer.update_ps for layer in made.layers)
    assert [layer.parameters for layer in made.layers] == [600, 300]
    # Four cores of 500 MHz and 16 lanes each; an FP16 addition of the published energies.
    assert (made.adds_per_s, made.add_pj) == (4 * 500e6 * 16, 0.548)


def test_a_folder_that_is_in_use_is_refused_before_anything_runs(
    place: Path, tmp_path: Path
) -> None:
    """As with any run; nothing is written into it."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TlmError, match="not empty"):
        run_federation(prepare_federation(str(place / "fed")), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_signal_ends_the_run_and_the_manifest_says_so(
    place: Path, tmp_path: Path, jobs: int
) -> None:
    """Ctrl-C between two iterations: exit code 130, no figures."""
    source = plan_file(place, f"chip: {place / 'small.yaml'}")

    def interrupt(name: str) -> None:
        if name == "worker1-iteration2":
            signal.raise_signal(signal.SIGINT)

    folder = tmp_path / "fed"
    with pytest.raises((InterruptedRunError, KeyboardInterrupt)) as caught:
        run_federation(prepare_federation(source, jobs), folder, interrupt)
    assert getattr(caught.value, "exit_code", 130) == 130
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "interrupted" and "interrupted" in manifest["reason"]
    assert manifest["reason"].endswith(f"in {folder / 'iterations'}")
    assert not (folder / "summary.json").exists()


def test_an_error_of_another_process_keeps_its_words(place: Path, tmp_path: Path) -> None:
    """A job that the chip cannot hold is refused there, and told here."""
    tasks = [
        LocalTask(place / "fed" / "iid" / f"worker{n}.h5", 99, "neuromc-20", tmp_path / f"r{n}")
        for n in (0, 1)
    ]
    with pytest.raises(TlmError, match="no iteration 99; recorded are 1, 4"):
        simulate_iterations(tasks, 2, StopRequest(), lambda _: None)


def test_a_process_that_is_killed_ends_the_run(place: Path, tmp_path: Path) -> None:
    """As the system does where memory runs out: the run says so, and does not wait for ever."""
    tasks = [
        LocalTask(place / "fed" / "iid" / f"worker{n}.h5", 1, "neuromc-20", tmp_path / f"r{n}")
        for n in range(3)
    ]

    def kill(_: str) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(OutOfMemoryError, match="its process ended at once"):
        simulate_iterations(tasks, 2, StopRequest(), kill)


@pytest.mark.slow
@pytest.mark.parametrize("name", federated_names())
def test_bundled_runs_keep_the_laws_and_their_accuracy(name: str, tmp_path: Path) -> None:
    """Five chips of 20 cores over three rounds, as recorded."""
    summary = run_federation(prepare_federation(name), tmp_path / "fed").summary
    assert summary.ok, summary.broken
    curve = open_federated(name).variant("dirichlet", "none").accuracy
    assert [item.accuracy for item in summary.rounds] == list(curve[1:4])
