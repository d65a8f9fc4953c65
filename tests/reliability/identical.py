"""What runs of all bundled jobs and of random pairs leave, as digests: two trees hold the same?

``python -m tests.reliability.identical record FILE`` in one tree and ``... check FILE`` in another
tell whether a change of the code changed a single figure. Digests are of the bytes of
``summary.json``, ``energy.csv``, ``stats.csv`` and ``mapping.yaml``, and of every table and
attribute of ``trace.h5`` (not of its bytes: HDF5 versions lay files out in different ways).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.reliability.pairs import Pair, pairs, run_pair
from tlm.errors import TlmError
from tlm.running.kernels import kernel_of
from tlm.running.runner import run_job
from tlm.workload.bundled import bundled_names

FILES = ("summary.json", "energy.csv", "stats.csv", "mapping.yaml")
Digests = dict[str, dict[str, str]]


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 by name of a run's files, and of its trace by table and attribute."""
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in FILES
        if (folder / name).exists()
    }
    if (folder / "trace.h5").exists():
        with h5py.File(folder / "trace.h5") as trace:
            digests |= dict(_trace_digests(trace))
    return digests


def _trace_digests(trace: h5py.File) -> Iterator[tuple[str, str]]:
    nodes: dict[str, h5py.Group | h5py.Dataset] = {"/": trace}
    trace.visititems(nodes.__setitem__)
    for name, node in sorted(nodes.items()):
        for key in sorted(node.attrs):
            yield f"{name}@{key}", hashlib.sha256(repr(node.attrs[key]).encode()).hexdigest()
        if isinstance(node, h5py.Dataset):
            data = node[()]
            content = data.tobytes() if hasattr(data, "tobytes") else repr(data).encode()
            yield name, hashlib.sha256(content).hexdigest()


def bundled_digests() -> Iterator[tuple[str, dict[str, str]]]:
    """Every bundled job on the default chip, traced in full."""
    for job in bundled_names("training"):
        with tempfile.TemporaryDirectory() as folder:
            yield job, folder_digests(run_job(job, out=Path(folder) / "run").folder)


def pair_digests(batch: int) -> Iterator[tuple[str, dict[str, str]]]:
    """A hundred random pairs of chip and job; of a refused one, the kind of its error."""
    drawn: list[Pair] = []

    @seed(batch)
    @settings(
        max_examples=100, phases=[Phase.generate], database=None, derandomize=False,
        deadline=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(pairs())
    def draw(pair: Pair) -> None:
        drawn.append(pair)

    draw()
    kernel = kernel_of().name
    for index, pair in enumerate(drawn):
        name = f"pair {batch}.{index}"
        with tempfile.TemporaryDirectory() as folder:
            try:
                result = run_pair(pair, Path(folder) / "run", kernel)
            except TlmError as error:
                yield name, {"refused": type(error).__name__}
            else:
                yield name, folder_digests(result.folder)


def all_digests(batches: int, jobs: bool) -> Digests:
    """All digests by run."""
    digests = dict(bundled_digests()) if jobs else {}
    for batch in range(batches):
        digests |= pair_digests(batch)
    return digests


def differences(recorded: Digests, now: Digests) -> list[str]:
    """What the two do not share, a line each."""
    lines = [f"{name}: only in one" for name in sorted(recorded.keys() ^ now.keys())]
    for name in sorted(recorded.keys() & now.keys()):
        parts = recorded[name].keys() | now[name].keys()
        lines += [
            f"{name}: {part} differs"
            for part in sorted(parts)
            if recorded[name].get(part) != now[name].get(part)
        ]
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("record", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--batches", type=int, default=2, help="of a hundred pairs each")
    parser.add_argument("--no-jobs", action="store_true", help="random pairs only")
    asked = parser.parse_args()
    digests = all_digests(asked.batches, not asked.no_jobs)
    if asked.action == "record":
        asked.file.write_text(json.dumps(digests, indent=1, sort_keys=True))
        sys.exit()
    lines = differences(json.loads(asked.file.read_text()), digests)
    print("\n".join(lines) or f"{len(digests)} runs, all the same")
    sys.exit(bool(lines))
