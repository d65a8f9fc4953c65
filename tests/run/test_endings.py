"""How a run can end badly: each way has its status, its exit code and its words."""

import json
from pathlib import Path

import pytest

import tlm.execution
import tlm.runner
from tlm.cli import main
from tlm.mapping.plan import Plan
from tlm.task import Phase, Program

JOB = ("run", "mnist-fc", "--set", "noc.payload=4 KiB", "--set", "dram.interleave=4 KiB")


def status(folder: Path) -> str:
    """What the manifest says of a run."""
    return str(json.loads((folder / "manifest.json").read_text())["status"])


def spoil(monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    """Let ``change`` alter every program before it is run."""
    build = tlm.runner.build_program

    def spoiled(plan: Plan) -> Program:
        program = build(plan)
        change(program)  # type: ignore[operator]
        return program

    monkeypatch.setattr(tlm.runner, "build_program", spoiled)


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

    monkeypatch.setattr(tlm.execution, "run_until", interrupt)
    assert main([*JOB, "--out", str(tmp_path / "run")]) == 130
    assert status(tmp_path / "run") == "interrupted"
