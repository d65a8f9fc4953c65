"""Seeded faults of the model: each is put into a copy of the source, and something must notice.

``python -m tests.reliability.mutants`` runs :mod:`tests.reliability.probe`, or the probe that a
fault names, in every copy; where all laws still hold, the tests that guard the place. It prints a
row for each: what caught it. ``_structures`` behind it, or the like, chooses a file of faults.
Faults of the compiled kernel are compiled, and sought by comparing both kernels; where the model of
SimPy is changed there is no other, so that laws must notice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlm.compiled.sources import BUILT_OF

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("tlm", "tests", "analysis", "pyproject.toml")
BUILT = ("build", "hatch_build.py")  # what it takes, besides, to compile what has changed
COMPILED = "tlm/compiled/"
SECONDS = 900  # after which a probe or a test hangs


@dataclass(frozen=True)
class Mutant:
    """A fault: ``old`` in ``path`` becomes ``new``; ``tests`` guard what no law can see.

    ``probe`` is the module that runs what the fault would change, with what it is to be told; none
    where no run has to do with it.
    """

    name: str
    path: str
    old: str
    new: str
    tests: str = ""
    probe: str = "tests.reliability.probe"

    @property
    def compiled(self) -> bool:
        """Whether it is one of the compiled kernel."""
        return self.path.startswith(COMPILED)


def mutants(kind: str = "*") -> list[Mutant]:
    """The faults of all files ``mutants*.toml``, or of one ``kind``, in their order."""
    files = sorted(Path(__file__).parent.glob(f"mutants{kind}.toml"))
    texts = [path.read_text() for path in files]
    return [Mutant(**row) for text in texts for row in tomllib.loads(text)["mutant"]]


def caught_by(mutant: Mutant, copy: Path) -> str:
    """What notices a mutant: a law or an ending of the probe, or tests; nothing: ``""``."""
    path = copy / mutant.path
    intact = path.read_text()
    assert intact.count(mutant.old) == 1, f"{mutant.name}: not found once in {mutant.path}"
    path.write_text(intact.replace(mutant.old, mutant.new))
    try:
        if mutant.compiled:
            built = _run(copy, "hatch_build.py")
            assert built.returncode == 0, f"{mutant.name}: {built.stderr}"
        told = _told(copy, mutant.probe)
        if told != ["ok"]:
            return told[-1].split(";")[0] if told else "the probe crashed"
        if mutant.tests:
            ended = _run(copy, "-m", "pytest", "-q", "-x", mutant.tests).returncode
            if ended == 1 or ended < 0:  # a test fails, or a signal ends them all
                return mutant.tests
    finally:
        path.write_text(intact)
    return ""


def _told(copy: Path, probe: str) -> list[str]:
    """What a probe says, a line each; without one all is well."""
    return _run(copy, "-m", *probe.split()).stdout.strip().splitlines() if probe else ["ok"]


def _run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'analysis'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        return subprocess.run(
            [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True,
            check=False, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, f"no end after {SECONDS} s", "")


def run(chosen: Sequence[Mutant], show: Callable[[str], object] = print) -> int:
    """Try some; shows a row of a table for each, returns how many nothing noticed."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for compiled in (False, True):
            some = [mutant for mutant in chosen if mutant.compiled == compiled]
            copy = Path(folder) / ("both kernels" if compiled else "reference")
            if some:
                copy_sources(copy, compiled)
            for mutant in some:
                noticed = caught_by(mutant, copy)
                missed += not noticed
                show(f"| {mutant.name} | `{mutant.path}` | {noticed or 'NOTHING'} |")
    return missed


def copy_sources(copy: Path, compiled: bool) -> None:
    """All that the probes take, with the compiled kernel or without any.

    Raises:
        FileNotFoundError: it has not been built here.
    """
    left = () if compiled else ("*.so", "*.pyd", BUILT_OF)
    for name in (*COPIED, *(BUILT if compiled else ())):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", *left)
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    (copy / "workloads").symlink_to(ROOT / "workloads")


if __name__ == "__main__":
    sys.exit(run(mutants(*sys.argv[1:2])) > 0)
