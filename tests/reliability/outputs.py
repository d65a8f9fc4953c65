"""Full disks at every verb that writes: ``python -m tests.reliability.outputs``.

A call by which a verb makes, fills, syncs or renames a file fails for want of room, at any place.
Then the exit code is 6, the last line names what could not be written, and no file is half.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import tlm_analysis.plots.fabric
import tlm_analysis.plots.run
import tlm_analysis.plots.workload  # noqa: F401  (drawn in many processes, loaded in this alone)

from tests.reliability.faults import CODES, child
from tests.reliability.probe import SMALL, chain
from tlm.workload import write_workload

WAY = "no room"
SET = [word for text in SMALL for word in ("--set", text)]
Words = Callable[[Path], list[str]]


def verbs(job: Path, run: Path) -> dict[str, Words]:
    """Command lines by name, from the folder that they write into."""
    return {
        "map": lambda out: ["map", str(job), *SET, "--out", str(out / "mapping.yaml")],
        "noc": lambda out: ["noc", "--mesh", "2x2", "--rate", "0.1", "--out", str(out)],
        "dram": lambda out: ["dram", "--pattern", "rand_rd", "--count", "20", "--out", str(out)],
        "workload plot": lambda out: ["workload", "plot", str(job), "--out", str(out)],
        "export": lambda out: [
            "export", str(run), "--perfetto", "--csv", "--dram-requests", "dramsys",
            "--noc-messages", "--out", str(out),
        ],
    }  # fmt: skip


@contextmanager
def scratch(folder: Path) -> Iterator[None]:
    """A folder of its own for temporary files."""
    folder.mkdir()
    with mock.patch.object(tempfile, "tempdir", str(folder)):
        yield


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def faults_after(code: int, errors: str, out: Path, whole: dict[str, bytes]) -> Iterator[str]:
    """What is wrong after a verb that ended with ``code``; ``whole`` is what it leaves at best.

    What could not be written may lie in the folder of temporary files, where ``map`` simulates.
    """
    left = contents(out)
    if code not in CODES[WAY]:
        yield f"exit code {code}: {errors[-300:]}"
    named = (f"tlm: {out}", f"tlm: {tempfile.gettempdir()}")
    if code and not errors.splitlines()[-1].startswith(named):
        yield f"does not name what could not be written: {errors[-300:]}"
    if partial := [name for name in left if left[name] != whole.get(name)]:
        yield f"exit code {code}: left {partial}"
    if not code and left.keys() != whole.keys():
        yield f"exit code 0 without {sorted(whole.keys() - left.keys())}"


def run(most: int = 40, show: Callable[[str], object] = print) -> int:
    """Let as many calls of each verb fail, evenly spread; returns how many did."""
    count = 0
    with tempfile.TemporaryDirectory() as temporary, scratch(Path(temporary) / "scratch"):
        folder = Path(temporary)
        job = chain()
        path = write_workload(replace(job, path=folder / "job.h5"), [job.load(0)]).path
        errors, first = folder / "errors", folder / "first"
        code, _ = child(["run", str(path), *SET, "--out", str(first)], -1, WAY, errors)
        assert code == 0, errors.read_text()
        for name, words in verbs(path, first).items():
            out = folder / name
            out.mkdir()
            code, calls = child(words(out), -1, WAY, errors)
            assert code == 0, errors.read_text()
            whole = contents(out)
            for number in range(0, len(calls), -(-len(calls) // most)):
                out = folder / f"{name} {number}"
                out.mkdir()
                code, _ = child(words(out), number, WAY, errors)
                count += 1
                for text in faults_after(code, errors.read_text(), out, whole):
                    show(f"{name}, call {number} ({calls[number]}): {text}")
    return count


if __name__ == "__main__":
    faults = list[str]()
    calls = run(show=faults.append)
    print("\n".join([*faults, f"{calls} calls, {len(faults)} faults"]))
    sys.exit(bool(faults))
