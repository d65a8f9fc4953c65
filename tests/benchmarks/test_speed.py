"""A regression of speed, as a ratio of both kernels within one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlm.compiled.sources import why_missing
from tlm.running.runner import run_job

REPEATS = 3
# 7 on a machine whose cores are busy otherwise; a kernel that calls back into Python for every
# event would be at 1 to 2.
LEAST = 3.5


@pytest.mark.skipif(why_missing() is not None, reason="no compiled kernel here")
def test_compiled_kernel_is_faster(tmp_path: Path) -> None:
    """It simulates several times as many events in a CPU-second as SimPy's, the best of each."""
    fastest = {"simpy": 0.0, "compiled": 0.0}
    for repeat in range(REPEATS):
        for kernel, before in fastest.items():
            out = tmp_path / f"{kernel}{repeat}"
            cost = run_job("mnist-csnn", kernel=kernel, trace="off", out=out).cost
            fastest[kernel] = max(before, cost.events / cost.simulation_cpu_s)
    assert fastest["compiled"] >= LEAST * fastest["simpy"]
