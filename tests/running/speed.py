"""Measures speed: ``python -m tests.running.speed [JOB]``, as a share of bare SimPy in one process.

Timing decides no test; this prints what the performance figures of the project are taken from.
"""

import cProfile
import pstats
import re
import sys
import tempfile
import time
from pathlib import Path

import simpy

from tlm.running.runner import run_job

PROCESSES = 100
TIMEOUTS = 200_000
REPEATS = 5


def bare_timeouts_per_s() -> float:
    """SimPy alone: 100 processes that only wait, events per second of CPU time."""
    env = simpy.Environment()

    def wait() -> object:
        while True:
            yield env.timeout(10)

    for _ in range(PROCESSES):
        env.process(wait())  # type: ignore[arg-type]
    began = time.process_time()
    env.run(until=10 * TIMEOUTS // PROCESSES)
    return TIMEOUTS / (time.process_time() - began)


def transactions_per_s(job: str) -> float:
    """A whole run with its full trace, transactions per second of CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        cost = run_job(job, out=Path(folder) / "run").cost
    return cost.transactions / cost.simulation_cpu_s


def shares_by_room(job: str) -> dict[str, float]:
    """Where a run's CPU time goes: own time of the functions of each room, largest first.

    The profiler slows small functions down more than large ones, so take the order, not the digits.
    """
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profile.runcall(run_job, job, out=Path(folder) / "run")
    spent: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        found = re.search(r"/(tlm/\w+|simpy)[/.]", file)
        room = found[1] if found else "Python and its packages"
        spent[room] = spent.get(room, 0.0) + own
    total = sum(spent.values())
    return {room: own / total for room, own in sorted(spent.items(), key=lambda one: -one[1])}


if __name__ == "__main__":
    job = sys.argv[1] if len(sys.argv) > 1 else "mnist-csnn"
    for _ in range(REPEATS):
        before, ours, after = bare_timeouts_per_s(), transactions_per_s(job), bare_timeouts_per_s()
        bare = (before + after) / 2
        print(f"{job}: {ours:,.0f} transactions/s, bare {bare:,.0f}/s, share {ours / bare:.2%}")
    for room, share in shares_by_room(job).items():
        print(f"{share:6.1%}  {room}")
