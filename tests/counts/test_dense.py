"""Mode ``dense``: cycles and operations of built programs equal closed forms written out here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts.dense_cycles import dense_cycles
from tests.program.jobs import (
    DENSE,
    NO_SLICE_SKIPPING,
    array_overrides,
    built,
    conv,
    job,
    linear,
    tiles_of,
)
from tlm.placement.slice_bits import dY_bits
from tlm.space.phase import Phase
from tlm.workload import open_workload

BUNDLED = ["mnist-fc", "mnist-csnn"]


def up(a, b):
    """a / b, rounded up."""
    return -(-a // b)


def pieces(total, size):
    """``total`` in pieces of ``size``, the last one shorter."""
    return [size] * (total // size) + ([total % size] if total % size else [])


def block_positions(samples, rows, steps, width, capacity):
    """Positions of every block of a slice: a block grows by steps, then rows, then samples."""
    if width * steps * rows <= capacity:
        whole = width * steps * rows
        return [n * whole for n in pieces(samples, capacity // whole)]
    if width * steps <= capacity:
        per_sample = [n * width * steps for n in pieces(rows, capacity // (width * steps))]
        return per_sample * samples
    return [n * width for n in pieces(steps, capacity // width)] * rows * samples


class Closed:
    """Closed forms of one layer of a plan, all cores together."""

    def __init__(self, plan, layer_plan):
        chip = plan.chip
        self.layer, self.layer_plan, self.steps = layer_plan.layer, layer_plan, plan.steps
        self.chip = chip
        self.rows, self.cols = chip.core.engines.fp.rows, chip.core.engines.fp.cols
        self.depth, self.lanes = chip.core.pipeline_depth, chip.core.unit_lanes
        self.memory, self.precision = chip.core.memory, chip.precision
        self.capacity = self.memory.partial_sums // (
            max(self.rows, self.cols) * self.precision.gradient
        )
        # A frame that all steps share is multiplied once.
        frame = plan.workload.encoding == "direct" and not layer_plan.producers
        self.repeats = plan.steps if frame else 1
        self.slot = up(max(self.rows, self.cols), self.memory.banks)  # cycles a slot takes
        self.taps = layer_plan.layer.kernel[0] * layer_plan.layer.kernel[1]
        self.chunks = up(layer_plan.layer.in_shape[0], self.rows)
        self.inserted = (
            layer_plan.layer.stride[0] * layer_plan.layer.stride[1]
        )  # positions of WG an output

    def fp(self):
        """A block: chunks x taps weight loads and streams per output tile, drain, soma pass."""
        total = 0
        for (k, b, e), f in (
            (size(part), self.layer.out_shape[2]) for part in self.layer_plan.cut.slices
        ):
            for p in block_positions(b, e, self.steps // self.repeats, f, self.capacity):
                for width in pieces(k, self.cols):
                    total += self.chunks * self.taps * (self.rows + p * self.slot)
                    total += self.depth + up(p * self.repeats * width, self.lanes)
        return total

    def bp(self):
        """A block of inputs: output tiles x taps loads and streams per input chunk, drain."""
        total, width = 0, self.layer.in_shape[2]
        for part in self.layer_plan.cut.slices:
            k, b, _ = size(part)
            rows = part.input_rows[1] - part.input_rows[0]
            for p in block_positions(b, rows, self.steps, width, self.capacity) if rows else ():
                per_chunk = up(k, self.cols) * self.taps * (self.cols + p * self.slot)
                total += self.chunks * (per_chunk + self.depth)
        return total

    def wg(self):
        """A piece of samples: chunks x taps streams and accumulator loads per tile, drain."""
        total = 0
        for part in self.layer_plan.cut.slices:
            k, _, e = size(part)
            for samples in self.wg_pieces(part):
                p = samples * self.steps * e * self.layer.out_shape[2] * self.slot * self.inserted
                per_tile = self.chunks * self.taps * (self.rows + p) + self.depth
                total += up(k, self.cols) * per_tile
        return total

    def wg_pieces(self, part):
        """Samples of the pieces: dY in half of its memory, inputs in half of what masks leave."""
        _, b, _ = size(part)
        held = dY_bits(self.layer, self.steps, part, self.chip)
        source = self.layer_plan.addressed.sources[0]
        wanted = self.layer_plan.wanted_input(part.neurons).rows
        spike_bits = (wanted[1] - wanted[0]) * source.row_bytes * 8 * source.groups * source.steps
        for block in pieces(b, max(1, self.memory.gradients // 2 // held)):
            yield from pieces(block, max(1, self.memory.spikes * 3 // 4 // 2 // spike_bits))

    def grad(self):
        """The unit's lanes over the neurons of a block, adding partial sums first."""
        total = 0
        for part in self.layer_plan.cut.slices:
            k, b, e = size(part)
            neurons = k * e * self.layer.out_shape[2] * self.steps
            held = dY_bits(self.layer, self.steps, part, self.chip)
            per_block = max(1, self.memory.gradients // 2 // held)
            total += sum(up(n * neurons, self.lanes) + self.depth for n in pieces(b, per_block))
        return total


def size(part):
    """(channels, samples, rows) of a slice."""
    at = part.neurons
    return tuple(span[1] - span[0] for span in (at.channels, at.samples, at.rows))


def check_closed_forms(workload, recording, *overrides):
    """Cycles, slots and operations of every (layer, phase) of a dense program."""
    plan, program = built(workload, recording, *DENSE, NO_SLICE_SKIPPING, *overrides)
    pairs = workload.batch * workload.steps
    for layer_plan in plan.layers:
        layer, closed = layer_plan.layer, Closed(plan, layer_plan)
        (c, h, w), (k, e, f) = layer.in_shape, layer.out_shape
        outputs, inputs = pairs * e * f, pairs * h * w
        expected = {
            Phase.FP: (closed.fp(), outputs // closed.repeats),
            Phase.WG: (closed.wg(), outputs * closed.inserted),
        }
        if layer.index:
            expected[Phase.BP] = (closed.bp(), inputs)
        for phase, (cycles, positions) in expected.items():
            tiles = tiles_of(program, phase, layer.index)
            slots = closed.chunks * up(k, closed.cols) * closed.taps * positions
            assert sum(tile.cycles for tile in tiles) == cycles, (phase, layer.name)
            assert sum(tile.work.slots for tile in tiles) == slots, (phase, layer.name)
            assert sum(tile.work.executed for tile in tiles) == slots, (phase, layer.name)
            dense = c * k * closed.taps * positions
            assert sum(tile.work.dense for tile in tiles) == dense, (phase, layer.name)
    return plan, program


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_jobs_equal_the_closed_forms(name):
    """The recorded jobs, last iteration, on the preset as it is."""
    workload = open_workload(name)
    check_closed_forms(workload, workload.load(2))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_jobs_skip_but_never_add(name):
    """Mode ``vector`` executes fewer slots of the same slots and is no slower than ``dense``."""
    workload = open_workload(name)
    recording = workload.load(2)
    _, dense = built(workload, recording, *DENSE, NO_SLICE_SKIPPING)
    plan, vector = built(workload, recording)
    for layer_plan in plan.layers:
        for phase in (Phase.FP, Phase.BP, Phase.WG):
            all_of = tiles_of(dense, phase, layer_plan.layer.index)
            left = tiles_of(vector, phase, layer_plan.layer.index)
            assert sum(t.work.slots for t in left) == sum(t.work.slots for t in all_of)
            assert sum(t.work.dense for t in left) == sum(t.work.dense for t in all_of)
            assert sum(t.work.executed for t in left) <= sum(t.work.slots for t in left)
            assert sum(t.cycles for t in left) <= sum(t.cycles for t in all_of)
            assert sum(t.work.useful for t in left) == sum(t.work.useful for t in all_of)


@settings(max_examples=25)
@given(data=st.data(), chunk=st.sampled_from([4, 5, 16]), tile=st.sampled_from([4, 7, 16]))
def test_random_layers_equal_the_closed_forms(data, chunk, tile):
    """Two random convolutions and a linear layer, any split, buffers down to a few rows."""
    kernel, channels = st.integers(1, 5), st.integers(1, 40)
    one = data.draw(kernel)
    shape = (data.draw(channels), data.draw(st.integers(one, 9)), data.draw(st.integers(one, 9)))
    pads = st.integers(0, one - 1)
    first = conv(shape, data.draw(channels), one, data.draw(st.integers(1, 2)), data.draw(pads))
    two = data.draw(st.integers(1, min(first.out_shape[1:])))
    pad = data.draw(st.integers(0, two - 1))
    second = conv(first.out_shape, data.draw(channels), two, padding=pad)
    workload, recording = job(
        first, second, linear(int(np.prod(second.out_shape)), 10),
        steps=data.draw(st.integers(1, 3)), batch=data.draw(st.integers(1, 3)),
    )  # fmt: skip
    check_closed_forms(
        workload,
        recording,
        *array_overrides(chunk, tile),
        f"mapping.split={data.draw(st.sampled_from(['auto', 'k', 'batch', 'spatial']))}",
        f"cores={data.draw(st.sampled_from([1, 2, 7, 20]))}",
        f"core.memory.banks={data.draw(st.sampled_from([4, 16, 32]))}",
        f"core.memory.partial_sums={data.draw(st.sampled_from([6, 9, 64]))} Kib",
    )


def test_memories_that_force_many_pieces():
    """dU of one sample a block, spikes of one sample a piece: the overheads are counted."""
    first = conv((16, 8, 8), 16, 3, padding=1)
    workload, recording = job(first, conv(first.out_shape, 20, 3, padding=1), batch=4, steps=3)
    plan, program = check_closed_forms(
        workload,
        recording,
        "cores=1",
        "core.memory.gradients=128 Kib",
        "core.memory.spikes=4 Kib",
    )
    assert len(tiles_of(program, Phase.WG, 0)) == 4
    for layer_plan in plan.layers:
        tiles = tiles_of(program, Phase.GRAD, layer_plan.layer.index)
        assert sum(tile.cycles for tile in tiles) == Closed(plan, layer_plan).grad()


def test_the_estimate_that_chooses_a_split_is_what_is_built():
    """On one block and piece a slice the estimate of a split equals the program's cycles."""
    first = conv((16, 6, 6), 32, 3, padding=1)
    workload, recording = job(first, conv(first.out_shape, 20, 3, padding=1))
    plan, program = built(workload, recording, *DENSE, NO_SLICE_SKIPPING)
    for layer_plan in plan.layers:
        estimate = sum(
            dense_cycles(layer_plan.layer, plan.steps, part, plan.arrays, plan.chip)
            for part in layer_plan.cut.slices
        )
        phases = (Phase.FP, Phase.BP, Phase.WG)
        tiles = [t for phase in phases for t in tiles_of(program, phase, layer_plan.layer.index)]
        assert sum(tile.cycles for tile in tiles) == estimate
