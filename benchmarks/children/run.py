"""A run of a job: ``python -m benchmarks.children.run JOB KERNEL TRACE [KEY=VALUE ...]``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tlm.running.runner import run_job


def main(job: str, kernel: str, trace: str, *overrides: str) -> None:
    """Simulate it in the working directory; the amount is its transactions."""
    began = time.process_time()
    result = run_job(job, kernel=kernel, trace=trace, overrides=overrides, out=Path("run"))
    built = time.process_time() - began
    if not result.ok:
        raise SystemExit(f"{job}: {result.summary.broken}")
    cost = result.cost
    figures = {
        "amount": cost.transactions, "cpu_s": cost.simulation_cpu_s, "built_cpu_s": built
    }  # fmt: skip
    print(json.dumps(figures, allow_nan=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
