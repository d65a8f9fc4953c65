"""Random jobs in one process: ``python -m tests.reliability.soak --minutes 30``.

Small random networks with random masks on random variants of the chip, one after the other, with
their traces; every run must be ``ok``, and the memory of the process must not grow.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from tests.program.jobs import Densities, conv, job, linear
from tlm.running.memory import resident_bytes
from tlm.running.runner import run_job
from tlm.workload import write_workload

WARM_UP = 0.2  # share of the runs after which memory is first looked at
MARK_S = 300  # memory is shown each time these seconds have passed
GROWTH_BYTES = 8 << 20  # between the first and the last third of what follows
CHOICES = {
    "noc.model": ("packet", "ideal", "router"),
    "dram.model": ("controller", "ideal"),
    "cores": ("20", "7", "1"),
    "core.engines.fp.mode": ("dense", "vector"),
    "core.skip_slices": ("true", "false"),
    "mapping.split": ("auto", "k", "batch", "spatial"),
}


def random_job(draw: random.Random, path: Path) -> Path:
    """A recorded job of a convolution or two and a linear layer, written to ``path``."""
    side, channels = draw.choice((6, 8, 12)), draw.choice((4, 16, 20))
    layers = [conv((draw.choice((1, 3, 16)), side, side), channels, 3, padding=1, pool=2)]
    layers.append(linear(channels * (side // 2) ** 2, 10))
    densities = Densities(inputs=draw.random(), spikes=draw.random(), gradients=draw.random())
    workload, recording = job(
        *layers,
        steps=draw.randint(1, 5),
        batch=draw.randint(1, 6),
        seed=draw.randrange(1 << 30),
        densities=densities,
    )
    # A file is refused where a gradient is non-zero and nothing feeds it: leave those out.
    gradients = tuple(
        gradient & mask for gradient, mask in zip(recording.dU, recording.masks, strict=True)
    )
    recording = replace(recording, dU=gradients, dY=gradients)
    return write_workload(replace(workload, path=path), [recording]).path


def run_one(draw: random.Random, folder: Path) -> str:
    """One random job on a random chip; its status. Its folder is removed."""
    path = random_job(draw, folder / "job.h5")
    overrides = [f"{key}={draw.choice(values)}" for key, values in CHOICES.items()]
    level = draw.choice(("off", "phase", "transaction"))
    result = run_job(str(path), overrides=overrides, out=folder / "run", trace=level)
    shutil.rmtree(folder / "run")
    path.unlink()
    return str(result.summary.status)


def resident(seconds: float, seed: int = 0) -> Iterator[int]:
    """Bytes of memory after each of the runs that fit in ``seconds``; each must be ok."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            status = run_one(draw, Path(temporary))
            assert status == "ok", status
            yield resident_bytes()


def growth(seen: list[int]) -> int:
    """Bytes by which the median of the last third exceeds that of the first, after warming up."""
    settled = seen[round(WARM_UP * len(seen)) :]
    third = max(1, len(settled) // 3)
    return round(median(settled[-third:]) - median(settled[:third]))


def run(minutes: float, show: Callable[[str], object] = print) -> int:
    """Soak for so long; returns the growth in bytes."""
    seen: list[int] = []
    began, marks = time.monotonic(), 0
    for nbytes in resident(60 * minutes):
        seen.append(nbytes)
        if time.monotonic() - began >= MARK_S * (marks + 1):
            marks += 1
            show(f"{marks * MARK_S // 60} min, {len(seen)} runs: {nbytes / 2**20:.1f} MiB")
    grown = growth(seen)
    show(
        f"{len(seen)} runs in {minutes:g} min: memory {min(seen) >> 20} to {max(seen) >> 20} MiB, "
        f"grown by {grown / 2**20:.1f} MiB"
    )
    return grown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    sys.exit(run(parser.parse_args().minutes) > GROWTH_BYTES)
