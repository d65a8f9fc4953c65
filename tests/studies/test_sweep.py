"""A sweep runs every combination once, leaves what runs leave, and outlives a point that fails."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest

from tlm.cli import main
from tlm.errors import ConfigError, InterruptedRunError
from tlm.running.interrupts import StopRequest
from tlm.running.request import RunRequest
from tlm.running.runner import run_job
from tlm.studies.sweep import ChipSweep, PointResult, run_sweep
from tlm.studies.sweep_points import SweepAxis, SweepPoint, parse_axis, points_of
from tlm.trace.summary_file import read_summary

SAME = ("config.resolved.yaml", "mapping.yaml", "summary.json", "energy.csv", "stats.csv")
LINKS = SweepAxis("noc.link", ("64 bit", "128 bit"))
WINDOWS = SweepAxis("core.outstanding", ("2", "8"))


def test_an_axis_is_a_key_and_its_values() -> None:
    """Commas inside of brackets belong to a value; what is no axis is refused in one line."""
    assert parse_axis("noc.link=64 bit, 128 bit") == LINKS
    nodes = parse_axis("dram.nodes=[0,1],[2,3]")
    assert nodes == SweepAxis("dram.nodes", ("[0,1]", "[2,3]"))
    for text in ("noc.link", "=1,2", "noc.link=", "noc.link=1,,2", "noc.link=1,1"):
        with pytest.raises(ConfigError, match=r"^--over: "):
            parse_axis(text)


def test_points_are_all_combinations() -> None:
    """The last axis changes fastest; a key twice, no key, and too many points are refused."""
    points = list(points_of((LINKS, WINDOWS)))
    assert [point.number for point in points] == [1, 2, 3, 4]
    assert points[1].values == ("64 bit", "8") and points[2].values == ("128 bit", "2")
    many = [SweepAxis(key, tuple(map(str, range(100)))) for key in "abc"]
    for axes in ((), (LINKS, LINKS), many):
        with pytest.raises(ConfigError, match=r"^--over: "):
            points_of(axes)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_point_leaves_what_a_run_leaves(tmp_path: Path) -> None:
    """Byte by byte, with one process or two; the table has the figures of the summaries."""
    over = ["--over", "noc.link=64 bit,128 bit", "--over", "core.outstanding=2,8"]
    for jobs in ("1", "2"):
        words = ["sweep", "mnist-fc", *over, "--jobs", jobs, "--out", str(tmp_path / jobs)]
        assert main(words) == 0
    assert (tmp_path / "1" / "sweep.csv").read_bytes() == (
        tmp_path / "2" / "sweep.csv"
    ).read_bytes()
    for row in table(tmp_path / "2"):
        overrides = [f"noc.link={row['noc.link']}", f"core.outstanding={row['core.outstanding']}"]
        out = tmp_path / f"run{row['folder']}"
        run = run_job("mnist-fc", overrides=overrides, trace="off", out=out)
        for name in SAME:
            assert (tmp_path / "2" / row["folder"] / name).read_bytes() == (out / name).read_bytes()
        assert int(row["time_ps"]) == run.summary.time.makespan_ps
        assert float(row["energy_pj"]) == run.summary.energy.total_pj
        assert row["status"] == "ok" and not row["reason"]


def test_a_refused_point_is_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are run all the same; the exit code tells."""
    words = ["sweep", "mnist-fc", "--over", "noc.link=128 bit,7 bit", "--out", str(tmp_path / "s")]
    assert main(words) == 2
    text = capsys.readouterr()
    assert "1 of 2 points ok" in text.out and "sweep.csv: 1 error: " in text.err
    good, bad = table(tmp_path / "s")
    assert good["status"] == "ok" and bad["status"] == "error"
    assert "noc.link" in bad["reason"] and not bad["time_ps"]


def test_an_unknown_key_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line."""
    words = ["sweep", "mnist-fc", "--over", "noc.lnk=1,2", "--out", str(tmp_path / "s")]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "s").exists()


def test_a_process_that_dies_takes_its_point_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system ends one where memory runs out: another process takes the rest."""
    monkeypatch.setattr("tlm.studies.sweep._LOOK_S", 0.002)
    plan = ChipSweep(RunRequest("digits", trace="off"), (WINDOWS, LINKS), tmp_path)
    results: list[PointResult] = []

    class KilledAtFirst(StopRequest):
        """Looked at after each wait: kills the first worker as soon as its run has begun."""

        @property
        def exit_code(self) -> int:
            if not results and (tmp_path / "0001" / ".lock").exists():
                words = (tmp_path / "0001" / ".lock").read_text().split()
                if len(words) > 1:  # else it is just being written
                    os.kill(int(words[1]), signal.SIGKILL)
            return 0

        @exit_code.setter
        def exit_code(self, _: int) -> None: ...

    points = list(points_of(plan.axes))
    run_sweep(plan, points, 1, KilledAtFirst(), results.append)
    assert [result.point for result in results] == points
    assert [result.status for result in results[1:]] == 3 * ["ok"]
    assert results[0].status == "killed" and "-9" in results[0].reason


def test_a_signal_ends_a_sweep(tmp_path: Path) -> None:
    """What has ended is there."""
    plan = ChipSweep(RunRequest("mnist-fc", trace="off"), (WINDOWS, LINKS), tmp_path)
    stop, results = StopRequest(), []

    def note(result: PointResult) -> None:
        results.append(result)
        stop.exit_code = 130

    with pytest.raises(InterruptedRunError, match="interrupted: points that ended are in"):
        run_sweep(plan, list(points_of(plan.axes)), 1, stop, note)
    (result,) = results
    assert result.point == SweepPoint(1, ("2", "64 bit"))
    assert read_summary(tmp_path / "0001").time.makespan_ps == result.time_ps
