"""Both kernels leave the same bytes.

``python -m tests.reliability.kernels`` runs every bundled job on both, on the chips of ``CHIPS``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tlm.running.runner import run_job
from tlm.workload.bundled import bundled_names

MANIFEST = "manifest.json"  # says when and on what a run was made, so no two are alike
CHIPS: dict[str, tuple[str, ...]] = {
    "preset": (),
    "router": ("noc.model=router",),
    "adaptive": ("noc.model=router", "noc.routing=west-first", "noc.vcs=2", "noc.router_stages=2"),
    "ideal": ("noc.model=ideal", "dram.model=ideal"),
    "clocks": ("core.clock=430 MHz", "core.outstanding=3"),
    "closed": (
        "dram.page=closed",
        "dram.policy=hits-first",
        "dram.device=DDR4-3200",
        "dram.bus=64 bit",
    ),
    "LPDDR5": (
        "dram.device=LPDDR5-6400",
        "dram.bus=16 bit",
        "dram.channels=2",
        "dram.nodes=[0,19]",
    ),
    "pipelined": ("mapping.schedule=pipelined",),
}


def different_files(folder: Path, other: Path) -> list[str]:
    """Names of the files, the manifests apart, that two runs do not both have, byte for byte."""
    names = {path.name for run in (folder, other) for path in run.iterdir()} - {MANIFEST}
    pairs = [(name, folder / name, other / name) for name in sorted(names)]
    return [
        name
        for name, here, there in pairs
        if not (here.is_file() and there.is_file() and here.read_bytes() == there.read_bytes())
    ]


def differences(job: str, overrides: tuple[str, ...]) -> list[str]:
    """What a job leaves otherwise on the compiled kernel than on that of SimPy."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / kernel for kernel in ("simpy", "compiled")]
        for run in runs:
            run_job(job, overrides=overrides, out=run, kernel=run.name)
        return different_files(*runs)


def unlike(jobs: list[str]) -> Iterator[str]:
    """A line for each job and chip; those that differ end with the files that do."""
    for job in jobs:
        for chip, overrides in CHIPS.items():
            files = differences(job, overrides)
            yield f"{job} on {chip}: {', '.join(files) or 'identical'}"


if __name__ == "__main__":
    ends = set()
    for line in unlike(sys.argv[1:] or bundled_names()):
        print(line, flush=True)
        ends.add(line.endswith("identical"))
    sys.exit(ends != {True})
