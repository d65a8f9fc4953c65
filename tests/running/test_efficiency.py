"""TFLOPS/W: what is counted follows from the job, and no waste raises it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.program.graphs import NORM, builder, recording, workload
from tlm.running.figures.energy import dense_equivalent_flop
from tlm.running.runner import run_job

WASTE = ("core.engines.bp.grid=inserted", "core.engines.wg.grid=inserted")
NONE = ("core.engines.bp.grid=compacted", "core.engines.wg.grid=compacted")


def test_dense_equivalent_flop_by_hand():
    """2 B T K C / groups R S E F a pass, no BP of the first layer.

    3 -> 8 channels of 8 x 8 at stride 2: 8 * 3 * 9 * 16. 8 -> 8 in 4 groups: 8 * 2 * 9 * 16.
    128 -> 10: 1280. Inference has one pass of each.
    """
    net = builder((3, 8, 8), NORM)
    net.conv(8, kernel=3, stride=2, padding=1)
    net.conv(8, kernel=3, padding=1, groups=4)
    net.linear(10, readout=True)
    job = workload(net.layers, steps=3, batch=5)
    tensors = recording(job)
    assert dense_equivalent_flop(job, tensors) == 2 * 3 * 5 * (2 * 3456 + 3 * 2304 + 3 * 1280)
    inference = replace(job, mode="inference")
    assert dense_equivalent_flop(inference, tensors) == 2 * 3 * 5 * (3456 + 2304 + 1280)


@pytest.mark.parametrize("waste", [WASTE, ("mapping.state=recompute",)])
def test_waste_does_not_raise_the_figure(waste, tmp_path):
    """Zeros that strides insert, currents computed twice: more slots, no better figure."""
    ideal = ("noc.model=ideal", "dram.model=ideal")
    lean, wasteful = (
        run_job("nmnist-cnn", overrides=[*ideal, *NONE, *some], trace="off", out=tmp_path / name)
        for name, some in (("lean", ()), ("wasteful", waste))
    )
    less, more = lean.summary.efficiency, wasteful.summary.efficiency
    assert more.slot_flop > less.slot_flop
    assert more.dense_equivalent_flop == less.dense_equivalent_flop
    assert more.dense_equivalent_tflops_w.core <= less.dense_equivalent_tflops_w.core * (1 + 1e-9)
