"""Small intact files: a recorded job with numbers, a trace, a whole run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tests.workload.conftest import random_recording, random_values
from tlm.running.runner import run_job
from tlm.trace import TraceWriter, schema
from tlm.workload import Workload, write_workload
from tlm.workload.builder import Builder
from tlm.workload.model import Pool
from tlm.workload.surrogate import lif_neuron

ATTRIBUTES = {"tlm_version": "0.1.0", "workload_sha256": "d" * 64}
UNITS = [("chip.core00.fp", "fp"), ("chip.dram0", "dram")]
QUICK = ("noc.payload=4 KiB", "dram.interleave=4 KiB")  # few, large transactions: a short run


def small_workload(folder: Path, name: str = "small", seed: int = 0) -> Path:
    """A job of two layers with two recorded iterations, of level value and exact."""
    net = Builder((1, 6, 5), lif_neuron())
    net.conv(3, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    net.linear(4)
    job = Workload(
        path=folder / f"{name}.h5",
        name=name,
        layers=tuple(net.layers),
        steps=3,
        batch=2,
        dataset="random",
        licence="CC0",
        accuracy=0.5,
        optimizer="sgd",
        encoding="direct",
        iterations=(seed, seed + 7),
        levels=("value", "exact"),
        provenance={"written by": "a test"},
        sha256="",
    )
    recordings = [random_recording(job, iteration) for iteration in job.iterations]
    values = [random_values(job, recording) for recording in recordings]
    return write_workload(job, recordings, values).path


def small_trace(folder: Path, killed: bool = False) -> Path:
    """A trace of 20,000 random rows a table; ``killed`` is what a dead writer leaves of it."""
    folder.mkdir()
    path = folder / schema.FILE_NAME
    writer = TraceWriter(path, "transaction", ATTRIBUTES, "name: chip\n", UNITS)
    draw = np.random.default_rng(0)
    addresses = draw.integers(1 << 40, size=20_000).tolist()
    for i, address in enumerate(addresses):
        writer.transactions.append((i, i, i + 1, i + 5, i + 8, 0, 1, 0, 0, 0, 0, 0, 256, address))
        writer.activity.append((0, i, i + 1, 0, 0, 0, 0, 0, 0, 0, address & 0x7FFF_FFFF))
    writer.flush_if_due()
    if killed:
        left = folder / "left.h5"
        shutil.copyfile(path, left)
        path = left
    writer.close(True)
    return path


def small_run(folder: Path) -> Path:
    """The folder of a short run without a trace."""
    return run_job("mnist-fc", overrides=QUICK, out=folder, trace="off").folder
