"""A chip whose run has ended with events to come, or was stopped, is freed, on either kernel."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.hardware.kernels import both
from tests.program.jobs import built, conv, job, linear
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip, Site
from tlm.hardware.model import SIMPY
from tlm.kernel import run_until
from tlm.running.kernels import kernel_of


def begun(model, *words):
    """A chip whose run is about to begin."""
    plan, program = built(*job(conv((2, 8, 8), 6, 3, padding=1), linear(384, 10)), *words)
    timing = load_dram_timing(plan.chip.dram.device)
    return Chip(plan.chip, timing, program, None, None, Site.of(model))


def to_the_end(chip):
    """Run it to the end, when channels have still to refresh."""
    run_until(chip.env, chip.finished)


def half_way(chip):
    """Run it until packets are on their way and requests wait at a channel."""
    while not (chip.network.in_flight and any(channel.held() for channel in chip.channels)):
        assert chip.env.advance(10, chip.finished) == 10


@pytest.mark.parametrize("network", ["packet", "router"])
@pytest.mark.parametrize("model", both(lambda: SIMPY, lambda: kernel_of("compiled").model))
@pytest.mark.parametrize("run", [to_the_end, half_way])
def test_a_chip_is_freed(model, network, run):
    """What hangs on its queue goes as soon as the events to come are dropped."""
    chip = begun(model(), f"noc.model={network}")
    run(chip)
    assert chip.env.peek() < float("inf")
    parts = [weakref.ref(chip), weakref.ref(chip.env)]  # every DMA knows the environment
    chip.env.clear()
    assert chip.env.peek() == float("inf")
    del chip
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)
