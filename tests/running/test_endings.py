"""How a run can end badly: each way has its status, its exit code and its words."""

import errno
import json
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tlm.running.execution
import tlm.running.preparation
import tlm.trace
from tlm.cli import main
from tlm.running.memory import memory_limit
from tlm.space.phase import Phase
from tlm.space.program import Program
from tlm.storage.plan import Plan
from tlm.trace import TraceWriter
from tlm.trace.disk_space import Room

JOB = ("run", "mnist-fc", "--set", "noc.payload=4 KiB", "--set", "dram.interleave=4 KiB")
LONG_JOB = ("run", "nmnist-cnn")  # more events than pass between two looks


def status(folder: Path) -> str:
    """What the manifest says of a run."""
    return str(json.loads((folder / "manifest.json").read_text())["status"])


def spoil(monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    """Let ``change`` alter every program before it is run."""
    build = tlm.running.preparation.build_program

    def spoiled(plan: Plan) -> Program:
        program = build(plan)
        change(program)  # type: ignore[operator]
        return program

    monkeypatch.setattr(tlm.running.preparation, "build_program", spoiled)


def test_a_deadlock_is_named_and_has_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One spike that never comes: the line says which engine waits for what."""

    def one_more(program: Program) -> None:
        ident = program.completions.ident("FP input", "fc1", "core00", "sample", 0)
        program.completions.expect(ident)

    spoil(monkeypatch, one_more)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert "deadlock" in line
    assert "core00.fp" in line
    assert "FP input fc1 core00 sample 0" in line
    assert status(tmp_path / "run") == "deadlock"


def test_an_invalid_run_is_not_printed_as_if_it_were_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tile that counts its work twice breaks a law; the screen and the exit code say so."""

    def count_twice(program: Program) -> None:
        tiles = program.tiles[0]["fp"]
        tile = next(tile for tile in tiles if tile.phase == Phase.FP and tile.work.useful)
        tile.work.useful *= 2

    spoil(monkeypatch, count_twice)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 3
    shown = capsys.readouterr()
    assert shown.out.startswith("INVALID")
    assert "useful operations fp layer 0" in shown.out
    assert "do not use its figures" in shown.err
    assert status(tmp_path / "run") == "invalid"


def test_an_interrupted_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with exit code 130 and a manifest that does not claim to be running."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tlm.running.execution, "run_until", interrupt)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 130
    assert status(tmp_path / "run") == "interrupted"


def signal_myself(monkeypatch: pytest.MonkeyPatch, *numbers: signal.Signals) -> None:
    """Send the signals at the first look at a running simulation."""

    def look(writer: TraceWriter) -> None:
        while waiting:
            os.kill(os.getpid(), waiting.pop(0))

    waiting = list(numbers)
    monkeypatch.setattr(TraceWriter, "flush_if_due", look)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_stops_and_writes_what_there_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    """The exit code is the shell's, partial results are no summary, the handlers are put back."""
    before = signal.getsignal(number)
    signal_myself(monkeypatch, number)
    assert main([*LONG_JOB, "--out", str(tmp_path / "run")]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tlm: interrupted after")
    assert status(tmp_path / "run") == "interrupted"
    assert not (tmp_path / "run" / "summary.json").exists()
    partial = json.loads((tmp_path / "run" / "summary.partial.json").read_text())
    assert 0 < partial["tiles_done"] < partial["tiles"]
    assert partial["simulated_ps"] > 0
    with tlm.trace.open(tmp_path / "run") as trace:
        assert not trace.complete
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
    assert signal.getsignal(number) == before


def test_the_second_signal_aborts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not wait for partial results; the status is right all the same."""
    signal_myself(monkeypatch, signal.SIGINT, signal.SIGTERM)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 143
    assert capsys.readouterr().err.splitlines() == ["tlm: interrupted"]
    assert status(tmp_path / "run") == "interrupted"
    assert not (tmp_path / "run" / "summary.partial.json").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("tlm.running.preparation.make_plan", None),
        ("tlm.running.execution.Chip", "the building of the chip"),
        ("tlm.running.execution.check_run", "the check of the laws"),
    ],
)
def test_a_signal_ends_work_that_looks_at_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    left: str | None,
    number: signal.Signals,
    code: int,
) -> None:
    """In the middle of it; while a job is placed there is no folder yet."""

    def long_work(*_: object, **__: object) -> None:
        signal.raise_signal(number)
        pytest.fail("the signal was not heard")

    monkeypatch.setattr(place, long_work)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"tlm: interrupted in {left}" if left else "tlm: interrupted"
    if left is None:
        assert not (tmp_path / "run").exists()
        return
    assert status(tmp_path / "run") == "interrupted"
    assert not (tmp_path / "run" / "summary.json").exists()
    has_partial = (tmp_path / "run" / "summary.partial.json").exists()
    assert has_partial == (left == "the check of the laws")


def test_a_signal_while_figures_are_written_lets_them_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is whole, and the program ends as the signal wants it."""
    write = tlm.running.execution.write_results

    def interrupted(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        write(*arguments)

    monkeypatch.setattr(tlm.running.execution, "write_results", interrupted)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 143
    assert capsys.readouterr().err.splitlines() == ["tlm: interrupted"]
    assert status(tmp_path / "run") == "ok"


def test_memory_that_runs_out_on_the_way_has_its_own_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An allocation over --mem fails, and the manifest can still be written."""
    before = resource.getrlimit(resource.RLIMIT_AS)

    def grow(writer: TraceWriter) -> None:
        grown.append(bytearray(800_000_000))

    grown: list[bytearray] = []
    monkeypatch.setattr(TraceWriter, "flush_if_due", grow)
    assert main([*JOB, "--out", str(tmp_path / "run"), "--mem", "900MB"]) == 5
    assert "memory ran out during the run; raise --mem" in capsys.readouterr().err
    assert len(grown) <= 1
    assert status(tmp_path / "run") == "out-of-memory"
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize("nbytes", [None, 1 << 44])
def test_a_limit_of_whoever_starts_the_run_is_not_raised(nbytes: int | None) -> None:
    """Less address space than --mem or the machine would allow stays all that there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (64 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        with memory_limit(nbytes):
            assert resource.getrlimit(resource.RLIMIT_AS) == (limit, hard)
        assert resource.getrlimit(resource.RLIMIT_AS) == (limit, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("megabytes", [20, 80])
def test_a_job_over_its_memory_is_refused_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], megabytes: int
) -> None:
    """One line with what it needs, exit code 2, nothing left behind."""
    assert main([*JOB, "--out", str(tmp_path / "run"), "--mem", f"{megabytes} MB"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{megabytes} MB --mem allows; raise --mem" in line
    assert not (tmp_path / "run").exists()


def test_a_full_disk_ends_the_trace_and_not_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary is that of a run with room enough; status and exit code say what is missing."""

    def full(room: Room, nbytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert main([*JOB, "--out", str(tmp_path / "whole")]) == 0
    monkeypatch.setattr(Room, "require", full)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 6
    assert "the disk is full: the trace ends early" in capsys.readouterr().err
    assert status(tmp_path / "run") == "disk-full"
    summaries = [(tmp_path / name / "summary.json").read_bytes() for name in ("whole", "run")]
    assert summaries[0] == summaries[1]


def test_a_disk_without_room_for_results_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is simulated that could not be written down, and nothing is left behind."""

    def full(descriptor: int, offset: int, nbytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 6
    assert "no room for the results of a run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_deadlock_leaves_who_waits_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two tiles of one core that need each other: the line names the circle, a file the graph."""

    def tie(program: Program) -> None:
        a, b = (program.completions.expect(program.completions.ident(n)) for n in "ab")
        fp, bp = (program.tiles[0][engine] for engine in ("fp", "bp"))
        fp[0] = replace(fp[0], needs=(*fp[0].needs, a), signals=(*fp[0].signals, b))
        bp[0] = replace(bp[0], needs=(*bp[0].needs, b), signals=(*bp[0].signals, a))

    spoil(monkeypatch, tie)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 4
    assert 'a circle of 4: chip.core00.fp -> "a" -> chip.core00.bp' in capsys.readouterr().err
    edges = (tmp_path / "run" / "waits.csv").read_text().splitlines()
    assert edges[0] == "waits,for"
    assert 'chip.core00.fp,"""a"""' in edges
