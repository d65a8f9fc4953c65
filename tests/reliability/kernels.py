"""Both kernels leave the same bytes.

``python -m tests.reliability.kernels`` runs every bundled job on both in the ways of ``RUNS``, and
each iteration that bundled federated runs simulate; names after it choose some of these jobs.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tlm.errors import TlmError
from tlm.federated import prepare_federation
from tlm.running.request import RunRequest, RunResult
from tlm.running.runner import run_request
from tlm.trace.limits import TraceLimits
from tlm.workload.bundled import bundled_names, open_workload

MANIFEST = "manifest.json"  # says when and on what a run was made, so no two are alike
APART = ("core.memory.sharing=separate", "mapping.state=spill", "mapping.parameters=spill")
CHIPS: dict[str, tuple[str, ...]] = {
    "preset": (),
    "router": ("noc.model=router",),
    "adaptive": ("noc.model=router", "noc.routing=west-first", "noc.vcs=2", "noc.router_stages=2"),
    "ideal": ("noc.model=ideal", "dram.model=ideal"),
    "clocks": ("core.clock=430 MHz", "core.outstanding=3"),
    "domains": ('core.clocks=["0-3: 400 MHz", "5: 125 MHz"]', "noc.synchroniser=3 cycles"),
    "domains of routers": ('core.clocks=["0-3: 400 MHz", "5: 125 MHz"]', "noc.model=router"),
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
    # Where little fits, engines wait for data that others have yet to write to DRAM.
    "little memory": (
        *APART,
        "mapping.split=spatial",
        "core.memory.membrane=8 Kib",
        "core.memory.partial_sums=4 Kib",
        "core.memory.gradients=8 Kib",
        "core.memory.accumulators=64 Kib",
        "mapping.static_input=every_step",
    ),
    "wavefront": (
        *APART,
        "mapping.schedule=wavefront",
        "mapping.batch_norm=folded",
        "core.memory.membrane=2 Kib",
        "mapping.split=k",
    ),
}
FIRST_SPIKE = RunRequest("", mode="inference", stop="first-spike")
RUNS: dict[str, RunRequest] = {  # the workload is any
    **{name: RunRequest("", overrides=chip) for name, chip in CHIPS.items()},
    "inference": RunRequest("", mode="inference"),
    "first spike": FIRST_SPIKE,
    "pruned": RunRequest(
        "", overrides=("core.weights.organisation=pb-bmp",), weights="density=0.3"
    ),
    "phases": RunRequest("", trace="phase"),
    "window": RunRequest("", limits=TraceLimits(window_ps=(10_000_000, 30_000_000))),
}
IDENTICAL, REFUSED = "identical", "refused"
FEDERATED = ("fed-mnist", "fed-cifar")


def different_files(folder: Path, other: Path) -> list[str]:
    """Names of the files, the manifests apart, that two runs do not both have, byte for byte."""
    names = {path.name for run in (folder, other) for path in run.iterdir()} - {MANIFEST}
    pairs = [(name, folder / name, other / name) for name in sorted(names)]
    return [
        name
        for name, here, there in pairs
        if not (here.is_file() and there.is_file() and here.read_bytes() == there.read_bytes())
    ]


def differences(request: RunRequest) -> list[str]:
    """What is otherwise on the compiled kernel than on that of SimPy: files, number of events."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / kernel for kernel in ("simpy", "compiled")]
        results = [run_request(replace(request, kernel=run.name), run) for run in runs]
        return differences_of(*results)


def differences_of(one: RunResult, other: RunResult) -> list[str]:
    """The files in which two runs differ, and whether they took the same number of events."""
    files = different_files(one.folder, other.folder)
    return files if one.cost.events == other.cost.events else [*files, "number of events"]


def requests(job: str) -> Iterator[tuple[str, RunRequest]]:
    """What to compare of a job, or of a recorded federated run, each with its name."""
    if job in FEDERATED:
        for task in prepare_federation(job).tasks:
            yield task.folder.name, RunRequest(str(task.job), task.chip, iteration=task.iteration)
        return
    spiking = open_workload(job).layers[-1].neuron is not None
    for name, request in RUNS.items():
        if spiking or request != FIRST_SPIKE:
            yield name, replace(request, workload=job)


def outcomes(job: str) -> Iterator[tuple[str, str]]:
    """Each run of a job, and how it ends: identical, refused, or which files differ."""
    for name, request in requests(job):
        try:
            files = differences(request)
        except TlmError as error:
            if error.exit_code != 2:
                raise
            yield name, REFUSED  # before there is a chip: neither kernel has been asked
        else:
            yield name, ", ".join(files) or IDENTICAL


if __name__ == "__main__":
    ends: Counter[str] = Counter()
    for job in sys.argv[1:] or [*bundled_names(), *FEDERATED]:
        for name, end in outcomes(job):
            print(f"{job}, {name}: {end}", flush=True)
            ends[end] += 1
    print(dict(ends))
    sys.exit(not set(ends) <= {IDENTICAL, REFUSED})
