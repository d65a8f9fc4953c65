"""Programs of every dataflow, mode, grid and policy: closed forms and invariants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts.dense_cycles import dense_cycles
from tests.program.jobs import (
    DENSE,
    IDEAL_DRAM,
    NO_SLICE_SKIPPING,
    Densities,
    array_overrides,
    broken_by,
    built,
    conv,
    job,
    linear,
    loaded_chip,
    tiles_of,
)
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.space.phase import Phase

ENGINES = ("fp", "bp", "wg")
DATAFLOWS = st.sampled_from(["weight", "output", "input"])
MODES = st.sampled_from(["dense", "vector", "element"])
SKIPPED = {"fp": ["spikes"], "bp": ["gradients", "outputs"], "wg": ["spikes", "gradients"]}
PHASES = {"fp": Phase.FP, "bp": Phase.BP, "wg": Phase.WG}


def up(a, b):
    """a / b, rounded up."""
    return -(-a // b)


@st.composite
def engine_overrides(draw):
    """Any dataflow, mode, policy and grid for each engine."""
    found = []
    for engine in ENGINES:
        name = f"core.engines.{engine}"
        mode = draw(MODES)
        found += [f"{name}.dataflow={draw(DATAFLOWS)}", f"{name}.mode={mode}"]
        for what in SKIPPED[engine]:  # mode dense skips nothing
            skips = mode != "dense" and draw(st.booleans())
            found.append(f"{name}.skip_{what}={str(skips).lower()}")
        if engine != "fp":
            found.append(f"{name}.grid={draw(st.sampled_from(['inserted', 'compacted']))}")
    found.append(f"core.zero_operand_adds={str(draw(st.booleans())).lower()}")
    return tuple(found)


def run(program, *overrides):
    """The program on its chip with an ideal DRAM, to the end; the settled chip."""
    loaded = loaded_chip(*overrides)
    chip = Chip(loaded.config, load_dram_timing(loaded.config.dram.device), program, None, None)
    run_until(chip.env, chip.finished)
    chip.settle()
    return chip


@settings(max_examples=40)
@given(
    engines=engine_overrides(), small=st.booleans(), groups=st.sampled_from([1, 1, 2]),
    cores=st.sampled_from([1, 3, 20]), stride=st.integers(1, 2), kernel=st.sampled_from([1, 3]),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
def test_random_programs_run_to_their_end(
    engines, small, groups, cores, stride, kernel, share, seed
):
    """No deadlock, and every invariant holds: all work once, useful work as popcounted."""
    first = conv((3, 7, 6), 12, 3, padding=1, pool=2)
    second = replace(conv(first.pooled_shape, 10, kernel, stride, kernel // 2), groups=groups)
    drawn = job(first, second, linear(int(np.prod(second.out_shape)), 6), seed=seed,
                densities=Densities(share, share, share, share, live=0.7))  # fmt: skip
    overrides = (*array_overrides(4, 4), *engines, f"cores={cores}", IDEAL_DRAM)
    if small:
        overrides += ("core.memory.gradients=136 Kib", "core.memory.spikes=2 Kib",
                      "core.memory.accumulators=4 Kib", "core.memory.partial_sums=2 Kib",
                      "core.memory.weights=1 Kib")  # fmt: skip
    plan, program = built(*drawn, *overrides)
    chip = run(program, *overrides)
    assert broken_by(chip, plan, program, loaded_chip(*overrides).energy) == []


class Closed:
    """Dense cycles of one engine at ``p`` positions: ``first`` channels against ``second``."""

    def __init__(self, rows, cols, taps, tiles_at_once, slot):
        self.rows, self.cols, self.taps = rows, cols, taps
        self.tiles_at_once, self.slot = tiles_at_once, slot

    def weight(self, first, second, p):
        """A load of ``rows`` cycles and a stream of all positions for every weight tile."""
        tiles = up(first, self.rows) * up(second, self.cols) * self.taps
        return tiles * (self.rows + p * self.slot)

    def output(self, first, second, p, product_is_weight=False):
        """All channels past every group of positions; sums leave and come back in between."""
        groups = up(up(first, self.rows) * self.taps, self.tiles_at_once)
        moved = p if product_is_weight else (2 * groups - 1) * p
        stream = up(p, self.rows) * first * self.taps * self.slot
        return up(second, self.cols) * (stream + moved)

    def input(self, first, second, p):
        """Held for all of a panel that fits the buffers: here for all of ``second``."""
        held = up(first, self.rows) * self.taps
        return held * (p + up(p, self.cols) * second * self.slot)


@settings(max_examples=40)
@given(data=st.data(), dataflow=DATAFLOWS, stride=st.integers(1, 2), kernel=st.integers(1, 3))
def test_dense_cycles_equal_closed_forms(data, dataflow, stride, kernel):
    """One block, one core, weights that stay: FP, BP and WG on either grid."""
    channels = st.integers(1, 9)
    grid = data.draw(st.sampled_from(["inserted", "compacted"]))
    chunk, tile = data.draw(st.sampled_from([(4, 4), (4, 3), (2, 5)]))
    first = conv((3, 6, 6), data.draw(channels), 1)
    second = conv(first.out_shape, data.draw(channels), kernel, stride, kernel // 2)
    overrides = (*array_overrides(chunk, tile), *DENSE, NO_SLICE_SKIPPING, "cores=1",
                 *(f"core.engines.{engine}.dataflow={dataflow}" for engine in ENGINES),
                 f"core.engines.bp.grid={grid}", f"core.engines.wg.grid={grid}",
                 f"core.memory.banks={data.draw(st.sampled_from([1, 4, 16]))}",
                 "core.memory.partial_sums=64 Mib", "core.memory.spikes=64 Mib")  # fmt: skip
    plan, program = built(*job(first, second), *overrides)
    layer_plan = plan.layers[1]
    (c, _h, _w), (k, e, f), taps = second.in_shape, second.out_shape, kernel * kernel
    slot = up(max(chunk, tile), plan.chip.core.memory.banks)
    fine = stride * stride if grid == "inserted" else 1
    pairs = 4
    depth, lanes = plan.chip.core.pipeline_depth, plan.chip.core.unit_lanes
    fp = getattr(Closed(chunk, tile, taps, 10**9, slot), dataflow)(c, k, pairs * e * f)
    panels = [k] if dataflow == "input" else [min(tile, k - i) for i in range(0, k, tile)]
    fp += sum(depth + up(pairs * e * f * width, lanes) for width in panels)
    bp = sum(
        getattr(Closed(tile, chunk, some, 10**9, slot), dataflow)(k, c, pairs * count)
        for count, some in phases(second, grid)
    )
    bp += depth * (1 if dataflow == "input" else up(c, chunk))
    form = getattr(Closed(chunk, tile, taps, 10**9, slot), dataflow)
    wg = form(c, k, pairs * e * f * fine, *([True] if dataflow == "output" else []))
    wg += depth * len(panels)
    found = {
        engine: sum(tile.cycles for tile in tiles_of(program, phase, 1))
        for engine, phase in PHASES.items()
    }
    assert found == {"fp": fp, "bp": bp, "wg": wg}
    if grid == "inserted" or stride == 1:
        (part,) = layer_plan.cut.slices
        assert (
            dense_cycles(layer_plan.layer, plan.steps, part, plan.arrays, plan.chip) == fp + bp + wg
        )


def phases(layer, grid):
    """(Positions of an image, taps that reach them) of every remainder by the stride."""
    (_, h, w), (r, s) = layer.in_shape, layer.kernel
    if grid == "inserted":
        return [(h * w, r * s)]
    found = []
    for i in range(layer.stride[0]):
        for j in range(layer.stride[1]):
            rows = [y for y in range(h) if y % layer.stride[0] == i]
            columns = [x for x in range(w) if x % layer.stride[1] == j]
            taps = sum(
                not (i + layer.padding[0] - a) % layer.stride[0]
                and not (j + layer.padding[1] - b) % layer.stride[1]
                for a in range(r) for b in range(s)
            )  # fmt: skip
            if taps:
                found.append((len(rows) * len(columns), taps))
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_do_not_stay_send_held_outputs_to_the_buffer(engine):
    """Two weight tiles at a time: held sums of FP and BP leave and come back, dU of WG stays."""
    first = conv((8, 4, 4), 8, 1)
    overrides = (*array_overrides(4, 4), *DENSE, NO_SLICE_SKIPPING, "cores=1",
                 f"core.engines.{engine}.dataflow=output", "core.memory.weights=1 Kib",
                 "core.memory.membrane=2 Kib")  # fmt: skip
    _, program = built(*job(first, conv(first.out_shape, 8, 3, padding=1)), *overrides)
    p, size = 4 * 16, 2  # a tile of 4 x 4 weights of 16 bit takes 256 bit
    closed = Closed(4, 4, 9, size, 1)
    wanted = closed.output(8, 8, p, product_is_weight=engine == "wg") + 2 * 8
    wanted += 2 * up(p * 4, 16) if engine == "fp" else 0
    assert sum(tile.cycles for tile in tiles_of(program, PHASES[engine], 1)) == wanted
