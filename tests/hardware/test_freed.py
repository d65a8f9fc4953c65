"""A chip whose run has ended with events to come is freed, on either kernel."""

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


def ended(model, *words):
    """A chip at the end of its run, when channels have still to refresh."""
    plan, program = built(*job(conv((2, 8, 8), 6, 3, padding=1), linear(384, 10)), *words)
    timing = load_dram_timing(plan.chip.dram.device)
    chip = Chip(plan.chip, timing, program, None, None, Site.of(model))
    run_until(chip.env, chip.finished)
    return chip


@pytest.mark.parametrize("network", ["packet", "router"])
@pytest.mark.parametrize("model", both(lambda: SIMPY, lambda: kernel_of("compiled").model))
def test_a_chip_is_freed(model, network):
    """What hangs on its queue goes as soon as the events to come are dropped."""
    chip = ended(model(), f"noc.model={network}")
    assert chip.env.peek() < float("inf")
    parts = [weakref.ref(chip), weakref.ref(chip.env)]  # every DMA knows the environment
    chip.env.clear()
    assert chip.env.peek() == float("inf")
    del chip
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)
