"""Partial dW that does not fit the accumulators: kept in DRAM between the blocks of samples."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.graphs import broken_laws, builder, recording, workload
from tests.program.jobs import (
    IDEAL_DRAM,
    Densities,
    array_overrides,
    built,
    conv,
    job,
    linear,
)
from tests.reliability.probe import APART
from tlm.program.weight_gradient_pieces import output_spans
from tlm.space.phase import Phase


def test_a_dead_first_piece_leaves_no_partial_sums_to_read():
    """Spilled dW is read back only where an earlier piece has written it."""
    first = conv((16, 8, 8), 16, 3, padding=1)
    spiking, masks = job(first, linear(1024, 10), batch=3, densities=Densities(live=1.0))
    for gradients in masks.dU:
        gradients[:, 0] = False
    _, program = built(spiking, masks, *APART, "cores=1", "core.memory.accumulators=16 Kib",
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


@pytest.mark.parametrize("room", ["1 Kib", "4 Kib", "8 Kib"])
@pytest.mark.parametrize("gradients", ["1 Kib", "2 Mib"])
def test_passes_over_a_grouped_convolution_end_with_its_tiles(room, gradients):
    """Two groups of 25 outputs on tiles of four: each dW is made once, by the inputs of its group
    alone.
    """
    net = builder((8, 5, 5))
    net.conv(50, kernel=3, padding=1, groups=2)
    net.linear(4)
    grouped = workload(net.layers)
    chip = (
        *APART, *array_overrides(4, 4), "cores=1", IDEAL_DRAM,
        f"core.memory.accumulators={room}", f"core.memory.gradients={gradients}",
    )  # fmt: skip
    plan, program = built(grouped, recording(grouped), *chip)
    assert plan.layers[0].stored.dW == "dram"
    assert broken_laws(plan, program, *chip)[0] == []


@given(
    groups=st.integers(1, 4), width=st.integers(1, 20), tile=st.sampled_from((2, 4, 8)),
    tiles=st.integers(1, 4), data=st.data(),
)  # fmt: skip
def test_spans_of_outputs_are_whole_tiles_of_their_groups(groups, width, tile, tiles, data):
    """Together they are all outputs, none too long; they begin where tiles of the groups do."""
    layer = replace(conv((groups, 3, 3), groups * width, 1), groups=groups)
    first = data.draw(st.integers(0, groups * width - 1))
    spans = output_spans(layer, (first, groups * width), tile, tiles * tile)
    assert [k for span in spans for k in range(*span)] == [*range(first, groups * width)]
    assert all(high - low <= tiles * tile for low, high in spans)
    for low, _ in spans:
        origin = first % width if low // width == first // width else 0
        assert (low % width - origin) % tile == 0
