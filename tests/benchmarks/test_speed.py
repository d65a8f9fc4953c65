"""A regression of speed, as a ratio of both kernels within one process."""

from __future__ import annotations

from pathlib import Path

from tests.hardware.kernels import needs_compiled
from tlm.running.runner import run_job

REPEATS = 3
# 6 to 7 on a machine whose cores are busy otherwise: half of that is a regression.
LEAST = 3.5


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
