"""A regression of speed, as a ratio within one process: to bare SimPy, or of both kernels."""

from __future__ import annotations

import time
from pathlib import Path

from tests.hardware.dram.test_speed import bare_timeouts_per_s
from tests.hardware.kernels import needs_compiled
from tlm.running.runner import run_job

REPEATS = 3
# 6 to 7 on a machine whose cores are busy otherwise: half of that is a regression.
LEAST = 3.5
# In bare timeouts of SimPy, whether other work goes on or not: 20 to 21, and 530,000 to 730,000.
MOST_A_TRANSACTION = 35
MOST_BESIDE = 1_000_000


def test_a_run_costs_few_bare_timeouts(tmp_path: Path) -> None:
    """SimPy's kernel for each transaction; all beside the simulation (building, laws, files)."""
    transaction, beside = [], []
    for repeat in range(REPEATS):
        began = time.process_time()
        out = tmp_path / f"{repeat}"
        cost = run_job("mnist-csnn", kernel="simpy", trace="off", out=out).cost
        whole_cpu_s = time.process_time() - began
        bare = bare_timeouts_per_s()
        transaction.append(cost.simulation_cpu_s * bare / cost.transactions)
        beside.append((whole_cpu_s - cost.simulation_cpu_s) * bare)
    assert min(transaction) < MOST_A_TRANSACTION
    assert min(beside) < MOST_BESIDE


@needs_compiled
def test_compiled_kernel_is_faster(tmp_path: Path) -> None:
    """It simulates several times as many events in a CPU-second as SimPy's, the best of each."""
    fastest = {"simpy": 0.0, "compiled": 0.0}
    for repeat in range(REPEATS):
        for kernel, before in fastest.items():
            out = tmp_path / f"{kernel}{repeat}"
            cost = run_job("mnist-csnn", kernel=kernel, trace="off", out=out).cost
            fastest[kernel] = max(before, cost.events / cost.simulation_cpu_s)
    assert fastest["compiled"] >= LEAST * fastest["simpy"]
