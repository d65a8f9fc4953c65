"""``--mem`` at every verb that simulates: refused before, or ended in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tlm.cli import main
from tlm.hardware.chip import Chip
from tlm.running.runner import run_job

VERBS = {
    "run": ["run", "digits"],
    "counterfactual": ["counterfactual", "digits", "--density", "0.1"],
    "explain": ["explain", "RUN"],
    "map": ["map", "digits", "--set", "mapping.search_steps=5", "--simulate", "1"],
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run to explain."""
    return str(run_job("digits", out=tmp_path_factory.mktemp("runs") / "run").folder)


@pytest.fixture(params=VERBS)
def ended(
    request: pytest.FixtureRequest,
    run_dir: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], str]:
    """The exit code and the last line of each verb, in an empty folder, by the memory allowed."""
    monkeypatch.chdir(tmp_path)
    words = [run_dir if word == "RUN" else word for word in VERBS[request.param]]

    def end(memory: str) -> str:
        code = main([*words, "--mem", memory])
        return f"{code}: {capsys.readouterr().err.splitlines()[-1]}"

    return end


def test_too_little_is_refused(ended: Callable[[str], str], tmp_path: Path) -> None:
    """20 MB do not hold the program itself."""
    line = ended("20MB")
    assert line.startswith("2: tlm: the program itself needs about")
    assert line.endswith(
        "20 MB --mem allows; raise --mem, or choose a smaller batch or fewer steps"
    )
    assert not list(tmp_path.iterdir())


def test_the_limit_holds_while_a_chip_is_built(
    ended: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks for 4 GiB ends in one line with the remedy."""

    def greedy(*_: object) -> None:
        bytearray(4 << 30)

    monkeypatch.setattr(Chip, "__init__", greedy)
    line = ended("1500MB")
    assert line.startswith("5: tlm: ") and "memory ran out" in line
    assert "raise --mem" in line
