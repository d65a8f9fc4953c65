"""``tlm federated``: the answer first, within 80 columns, as JSON, and mistakes in one line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from tlm_analysis.plots import federated as plots

import tlm.trace
from tests.federated.recording import write_chip, write_recording
from tlm.cli import main
from tlm.federated.files import read_federated_summary

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


def test_chips_are_counted_by_kind(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A system of two kinds of chips is not so many of both."""
    write_chip(place / "other.yaml")
    chips = ", ".join(f"{place}/{name}.yaml" for name in ("small", "other", "small"))
    (place / "mixed.yaml").write_text(f"recording: {place}/fed\nchip: [{chips}]\nrounds: 1\n")
    words = ["federated", str(place / "mixed.yaml"), "--out", str(tmp_path / "out")]
    assert main([*words, "--jobs", "1"]) == 0
    assert "2 x small, 1 x other in a star" in capsys.readouterr().out


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


@pytest.fixture(scope="module")
def run_dir(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of that plan."""
    out = tmp_path_factory.mktemp("runs") / "fed"
    assert main(["federated", str(place / "plan.yaml"), "--out", str(out), "--jobs", "1"]) == 0
    return out


@pytest.mark.parametrize("width", [80, 120])
def test_explain_names_the_slow_link_and_the_drop_out(
    place: Path,
    run_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    """And sets their reliefs in order; its recording does not ship, so it is named."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["explain", str(run_dir), "--workload", str(place / "fed")]) == 0
    lines = capsys.readouterr().out.splitlines()
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= width
    assert "worker2 held up rounds 1, 2" in text
    assert "worker0 dropped out of round 3 after 50% of its training" in text
    assert "Most is gained by links of worker2 as those of others" in text


def test_explain_refuses_an_option_that_a_federated_run_has_no_use_for(
    place: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line; nothing is printed as if it had been heeded."""
    assert main(["explain", str(run_dir), "--workload", str(place / "fed"), "--mem", "2GB"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "--mem: " in printed.err and not printed.out


def test_explain_as_json_has_shares_that_add_up(
    place: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of rounds that an answer ended; the gains fall."""
    assert main(["explain", str(run_dir), "--workload", str(place / "fed"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    for item in figures["rounds"][:2]:
        assert item["worker"] == 2 and sum(item["shares"].values()) == pytest.approx(1)
    assert figures["rounds"][2] == {"round": 3, "worker": None, "shares": {}, "missing": [0]}
    saved = [gain["time_saved"] for gain in figures["what_if"]]
    assert saved == sorted(saved, reverse=True)


def test_report_plot_and_export_read_a_federated_run(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One page that fetches nothing; pictures; rows of what workers did."""
    assert main(["report", str(run_dir)]) == 0
    page = (run_dir / "report.html").read_text()
    assert "OK: " in page and "://" not in page
    for ident in ("accuracy", "timeline", "energy", "links", "assumptions"):
        assert f'href="#{ident}' in page
    assert main(["plot", str(run_dir)]) == 0
    assert {path.name for path in (run_dir / "plots").glob("*.png")} == {
        "accuracy.png", "timeline.png", "energy.png",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["export", str(run_dir), "--csv", "--out", str(tmp_path)]) == 0
    with (tmp_path / "activity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["unit"] for row in rows} == {"worker0", "worker1", "worker2"}
    summary = json.loads((run_dir / "summary.json").read_text())
    for worker in range(3):
        spent = sum(int(row["end"]) - int(row["begin"]) for row in rows
                    if row["unit"] == f"worker{worker}" and row["what"] == "stall-noc")  # fmt: skip
        due = sum(row["network_ps"] for row in summary["workers"] if row["worker"] == worker)
        assert spent == due
    assert main(["export", str(run_dir), "--noc-messages", "--out", str(tmp_path)]) == 2


def test_a_timeline_that_is_cut_says_so(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below its axis; one that shows all of the run says nothing of intervals."""
    summary = read_federated_summary(run_dir)
    with tlm.trace.open(run_dir) as trace:
        whole = plots.timeline_figure(trace, summary).axes[0].get_xlabel()
        monkeypatch.setattr(plots, "MOST_INTERVALS", 5)
        part = plots.timeline_figure(trace, summary).axes[0].get_xlabel()
    assert whole == "simulated time, ms; a line at the end of each round"
    assert "ms (only the first 5 intervals); a line" in part


def test_the_timeline_has_a_track_for_each_worker(run_dir: Path, tmp_path: Path) -> None:
    """With the extra for it, Perfetto's own reader finds their names."""
    pytest.importorskip("perfetto")
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    assert main(["export", str(run_dir), "--perfetto", "--out", str(tmp_path)]) == 0
    packets = Trace.FromString((tmp_path / "timeline.pftrace").read_bytes()).packet
    tracks = [packet.track_descriptor.name for packet in packets]
    assert [name for name in tracks if name] == ["worker0", "worker1", "worker2"]
    names = {packet.track_event.name for packet in packets}
    assert {"round 1: trains", "round 1: on the network", "round 2: trains"} <= names


def test_a_federated_run_is_not_taken_for_a_run(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verbs that read the folder of one chip's run say so; a single iteration's run is one."""
    iteration = str(next((run_dir / "iterations").iterdir()))
    refused = [["rerun", str(run_dir)], ["compare", str(run_dir), iteration]]
    refused += [["explain", str(run_dir)]]  # its recording does not ship
    for words in refused:
        assert main(words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["plot", iteration]) == 0
    assert main(["explain", iteration]) == 0  # neither does its job: its trace is read
    text = " ".join(capsys.readouterr().out.split())
    assert "What relief gains is not known: " in text and "--workload" in text


def test_files_that_are_not_those_of_the_run_are_noticed(
    place: Path, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A summary with another time, and the recording of another run."""
    other = tmp_path / "other"
    shutil.copytree(run_dir, other)
    summary = json.loads((other / "summary.json").read_text())
    (other / "summary.json").write_text(json.dumps(summary | {"time_ps": 1}))
    write_recording(tmp_path / "fed2", workers=2)
    for folder, recording, says in (
        (other, place / "fed", "simulated again from its iterations it takes"),
        (run_dir, tmp_path / "fed2", "is not the recording that this run was of"),
    ):
        assert main(["explain", str(folder), "--workload", str(recording)]) == 2
        error = capsys.readouterr().err
        assert says in error and len(error.splitlines()) == 1
