"""The command line: one line an error, the right exit code, and nothing slow to start."""

import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import tlm
from tlm.cli import main
from tlm.errors import DeadlockError, InvalidResultError
from tlm.running.request import RunRequest
from tlm.trace.limits import TraceLimits


def errors_of(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> list[str]:
    """The lines that ``words`` print to stderr, having ended with ``code``."""
    assert main(words) == code
    return capsys.readouterr().err.splitlines()


def fake_run(monkeypatch: pytest.MonkeyPatch, run_request: Any) -> None:
    """Put ``run_request`` in the place of the simulator's; nothing is shown, no GPU modelled."""
    screen = types.SimpleNamespace(show=lambda result, baseline: None, figures=None)
    monkeypatch.setattr("tlm.running.runner.run_request", run_request)
    monkeypatch.setattr(tlm.cli, "screen", screen, raising=False)
    monkeypatch.setitem(sys.modules, "tlm.cli.screen", screen)
    monkeypatch.setattr(sys.modules["tlm.cli.run"], "_baseline", lambda workload: None)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version and nothing else."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tlm {tlm.__version__}\n"


def test_help_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what each exit code means."""
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "0 ok; 2 bad input; 3 invalid result; 4 deadlock; 130 interrupted" in text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["runn"], "tlm: No such command 'runn'"),
        (["run"], "tlm: Missing argument"),
        (["run", "x", "--iteration", "two"], "tlm: Invalid value for '--iteration'"),
        (["run", "x", "--trace", "all"], "tlm: Invalid value for '--trace'"),
        (["run", "x", "--nonsense"], "tlm: No such option: --nonsense"),
        (
            ["config", "show", "neuromc20"],
            'tlm: chip "neuromc20": no preset or file of that name; did you',
        ),
        (["config", "show", "--set", "cores=x"], "tlm: --set: cores: expected a whole number"),
        (["config", "check", "missing.yaml"], 'tlm: chip "missing.yaml": no preset or file of'),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    """Bad input never shows a traceback."""
    (line,) = errors_of(capsys, 2, *words)
    assert line.startswith(text)


def test_every_problem_of_every_file_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`config check` goes on to the next file, and each problem is a line of its own."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("extends: neuromc-20\nname: good\n")
    bad.write_text("extends: neuromc-20\ncores: x\nnoc: {widht: 1}\n")
    assert main(["config", "check", str(bad), str(good)]) == 2
    captured = capsys.readouterr()
    assert captured.out == f"{good}: ok: good, 20 cores\n"
    assert [line.split(": ")[2] for line in captured.err.splitlines()] == ["cores", "noc.widht"]


def test_config_show_prints_a_chip_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What `config show` prints passes `config check`."""
    assert main(["config", "show", "--set", "noc.link=64 bit"]) == 0
    path = tmp_path / "shown.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["config", "check", str(path)]) == 0


def test_presets_lists_chips_tables_and_devices(capsys: pytest.CaptureFixture[str]) -> None:
    """`presets` names what --chip, energy and dram.device accept."""
    assert main(["presets"]) == 0
    text = capsys.readouterr().out
    assert all(
        name in text
        for name in (
            *("neuromc-20", "energy tables: cacti28, neuromc", "LPDDR4-3200"),
            "synapse memories: memory-organisation",
            *("synapse arrays: nvsim32", "spinaps-sram", "reconfigurable-pynq"),
        )
    )


def test_run_hands_its_options_to_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option of `run` arrives where it belongs."""
    calls: list[tuple[RunRequest, Path | None]] = []
    finished = types.SimpleNamespace(ok=True, workload=None, trace_truncated=None)

    def run_request(request: RunRequest, out: Path | None, listener: object) -> Any:
        calls.append((request, out))
        return finished

    fake_run(monkeypatch, run_request)
    words = ["run", "job", "--chip", "c.yaml", "--set", "a=1", "--set", "b=2", "--iteration", "1"]
    words += ["--trace-budget", "500MB", "--trace-window", "10us:20us", "--mem", "2GB"]
    words += ["--weights", "2:4", "--mode", "inference", "--batch", "3", "--stop", "first-spike"]
    words += ["--kernel", "simpy"]
    assert main([*words, "--out", "there", "--trace", "phase"]) == 0
    asked = RunRequest(
        workload="job",
        chip="c.yaml",
        overrides=("a=1", "b=2"),
        iteration=1,
        trace="phase",
        limits=TraceLimits(500_000_000, (10_000_000, 20_000_000)),
        mem_bytes=2_000_000_000,
        weights="2:4",
        mode="inference",
        batch=3,
        stop="first-spike",
        kernel="simpy",
    )
    assert calls == [(asked, Path("there"))]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InvalidResultError("bytes sent != received"), 3, "tlm: bytes sent != received"),
        (DeadlockError("core03 waits for dram1"), 4, "tlm: core03 waits for dram1"),
        (KeyboardInterrupt(), 130, "tlm: interrupted"),
        (PermissionError(13, "Permission denied", "/a"), 2, "tlm: /a: Permission denied"),
        (MemoryError(), 5, "tlm: memory ran out"),
        (OSError(28, "No space left on device", "/a"), 6, "tlm: /a: No space left on device"),
        (
            OSError(28, "No space left on device"),
            6,
            "tlm: standard output: what is printed is lost",
        ),
        (KeyError("x"), 1, "tlm: internal error: KeyError: 'x'; python -m tlm --debug"),
    ],
)
def test_how_a_run_ends_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    """Each way to fail has its own code and one line."""

    def run_request(*asked: object, **listener: object) -> None:
        raise error

    fake_run(monkeypatch, run_request)
    assert errors_of(capsys, code, "run", "job")[-1].startswith(text)


def test_ctrl_c_that_was_turned_into_another_error_is_still_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As extension modules do while they are imported; the handler is put back afterwards."""

    def run_request(*asked: object, **listener: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            raise ImportError("initialization failed") from None

    before = signal.getsignal(signal.SIGINT)
    fake_run(monkeypatch, run_request)
    assert errors_of(capsys, 130, "run", "job") == ["tlm: interrupted"]
    assert signal.getsignal(signal.SIGINT) == before


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """`--debug` before the verb adds the traceback to the line."""
    lines = errors_of(capsys, 2, "--debug", "config", "show", "nothing")
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith('tlm: chip "')


def test_starting_loads_nothing_heavy() -> None:
    """The command line starts with typer and its own words: every library waits for its verb."""
    heavy = {"h5py", "matplotlib", "numpy", "pydantic", "rich", "ruamel.yaml", "simpy"}
    code = f"import sys, tlm.cli; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_a_run_loads_nothing_that_draws(tmp_path: Path) -> None:
    """Figures, pages, data frames and pools of processes wait for the verbs that need them."""
    other = {"jinja2", "matplotlib", "multiprocessing", "pandas", "tlm_analysis.report"}
    words = ["run", "digits", "--trace", "off", "--out", str(tmp_path / "run"), "--json"]
    code = (
        f"import sys; from tlm.cli import main; code = main({words})\n"
        f"print(code, 'numpy' in sys.modules, sorted({other} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "0 True []"
