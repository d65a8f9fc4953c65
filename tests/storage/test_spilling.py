"""Partial dW that does not fit the accumulators: kept in DRAM between the blocks of samples."""

from __future__ import annotations

from tests.program.jobs import Densities, built, conv, job, linear
from tests.reliability.probe import APART
from tlm.space.phase import Phase


def test_a_dead_first_piece_leaves_no_partial_sums_to_read():
    """Spilled dW is read back only where an earlier piece has written it."""
    first = conv((16, 8, 8), 16, 3, padding=1)
    workload, recording = job(first, linear(1024, 10), batch=3, densities=Densities(live=1.0))
    for gradients in recording.dU:
        gradients[:, 0] = False
    _, program = built(workload, recording, *APART, "cores=1", "core.memory.accumulators=16 Kib",
                       "core.memory.gradients=64 Kib")  # fmt: skip
    check_spilled(program)


def test_spilled_partial_sums_are_written_before_they_are_read():
    """A read of dW in DRAM waits for the write before it; so does the update's."""
    first = conv((16, 8, 8), 16, 3, padding=1)
    plan, program = built(*job(first, linear(1024, 10), batch=3), *APART, "cores=1",
                          "core.memory.accumulators=16 Kib",
                          "core.memory.gradients=64 Kib")  # fmt: skip
    assert any((layer_plan.stored.dW == "dram") for layer_plan in plan.layers)
    check_spilled(program)
    for tiles in (engines["wg"] for engines in program.tiles):
        last_write = {}  # completion of the last write of each run
        read = 0
        for tile in tiles:
            for (start, size), (saved,) in ((run, last_write[run]) for run in last_write):
                if any(start < low + n and low < start + size for low, n in tile.reads):
                    assert saved in tile.read_needs, (tile.phase, tile.layer)
                    read += 1
            if tile.phase == Phase.WG:
                last_write |= dict.fromkeys(tile.writes, tile.saves)
        assert read > 2


def check_spilled(program):
    """Every spilled run that a WG tile reads has been written by a tile before it."""
    for tiles in (engines["wg"] for engines in program.tiles):
        spilled = {run for tile in tiles if tile.phase == Phase.WG for run in tile.writes}
        written = set()
        for tile in tiles:
            if tile.phase == Phase.WG:
                assert {run for run in tile.reads if run in spilled} <= written, tile.layer
                written |= set(tile.writes)
