"""A run whose amount is multiply-accumulates: ``... children.macs JOB KERNEL KIND``.

``synaptic``: the forward pass of the recorded spikes, the image multiplied at every step; those
with a non-zero input count, which an event-driven simulator calls synaptic operations.
``dense``: a training iteration in which nothing is skipped; all count, FP, BP and WG.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tlm.running.request import RunRequest
from tlm.running.runner import run_request
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.model import RunMode


@dataclass(frozen=True)
class Kind:
    """Which run, and which multiply-accumulates of its phases count."""

    mode: RunMode
    activity: ActivityKind
    counted: str


KINDS = {
    "synaptic": Kind("inference", "recorded", "useful_macs"),
    "dense": Kind("training", "dense", "dense_macs"),
}
EVERY_STEP = ("mapping.static_input=every_step",)


def main(job: str, kernel: str, name: str) -> None:
    """Simulate it in the working directory, without a trace."""
    kind = KINDS[name]
    request = RunRequest(
        job, overrides=EVERY_STEP, trace="off", activity=kind.activity, mode=kind.mode,
        kernel=kernel,
    )  # fmt: skip
    began = time.process_time()
    result = run_request(request, out=Path("run"))
    built = time.process_time() - began
    if not result.ok:
        raise SystemExit(f"{job}: {result.summary.broken}")
    phases = [work for layer in result.summary.work.values() for work in layer.values()]
    amount = sum(getattr(work, kind.counted) for work in phases)
    spent = result.cost.simulation_cpu_s
    print(json.dumps({"amount": amount, "cpu_s": spent, "built_cpu_s": built}, allow_nan=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
