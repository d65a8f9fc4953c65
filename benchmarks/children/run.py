"""A run of a job: ``python -m benchmarks.children.run JOB KERNEL TRACE [KEY=VALUE ...]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tlm.running.runner import run_job


def main(job: str, kernel: str, trace: str, *overrides: str) -> None:
    """Simulate it in the working directory; the amount is its transactions."""
    result = run_job(job, kernel=kernel, trace=trace, overrides=overrides, out=Path("run"))
    if not result.ok:
        raise SystemExit(f"{job}: {result.summary.broken}")
    cost = result.cost
    print(json.dumps({"amount": cost.transactions, "cpu_s": cost.simulation_cpu_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
