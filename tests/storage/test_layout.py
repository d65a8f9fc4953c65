"""Spans, boxes, blocks and addresses: everything is covered once, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.jobs import Densities, array_overrides, built, conv, job, linear, place
from tests.reliability.probe import APART
from tlm.counts.blocks import blocks, sample_blocks
from tlm.errors import MappingError
from tlm.space.geometry import input_rows, output_rows
from tlm.space.region import Region, cuts
from tlm.storage.address import Tensor, Weights
from tlm.workload import open_workload
from tlm.workload.inference import as_inference
from tlm.workload.surrogate import lif_neuron

SMALL = st.integers(1, 40)


@pytest.mark.parametrize(
    ("surrogate", "masks", "in_dram"),
    [("arctangent", 1.0, False), ("arctangent", 0.5, True), ("rectangular", 1.0, True)],
)
def test_m_has_an_address_where_one_of_it_may_be_zero(surrogate, masks, in_dram):
    """An unbounded surrogate sets each m, but for those that its format rounds to zero."""
    neuron = lif_neuron(surrogate=surrogate)
    layers = (conv((2, 4, 4), 3, 3, padding=1, pool=2), conv((3, 2, 2), 3, 1), linear(12, 5))
    layers = [replace(layer, neuron=neuron) for layer in layers]
    plan, _ = built(*job(*layers, densities=Densities(masks=masks)))
    kept = [{"m", "need"} & set(layer.addressed.tensors) for layer in plan.layers[:-1]]
    assert kept == ([{"need"}, {"m", "need"}] if in_dram else [set(), set()])


@given(total=st.integers(0, 200), parts=st.integers(1, 30), quantum=st.integers(1, 20))
def test_cuts_partition_exactly(total, parts, quantum):
    """Spans follow each other from 0 to the total, none is empty, larger ones come first."""
    spans = cuts(total, parts, quantum)
    assert len(spans) == min(parts, -(-total // quantum))
    assert [low for low, _ in spans] == [0, *(high for _, high in spans)][: len(spans)]
    assert not spans or spans[-1][1] == total
    assert all(low < high for low, high in spans)
    assert all(low % quantum == 0 for low, _ in spans)
    units = [-(-(high - low) // quantum) for low, high in spans]
    assert units == sorted(units, reverse=True)
    assert not units or units[0] - units[-1] <= 1


spans = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda ends: tuple(sorted(ends)))


@given(a=st.builds(Region, spans, spans, spans), b=st.builds(Region, spans, spans, spans))
def test_two_boxes_share_what_is_in_both(a, b):
    """``meet`` holds exactly the common elements."""

    def elements(region):
        return {
            (c, s, r)
            for c in range(*region.channels)
            for s in range(*region.samples)
            for r in range(*region.rows)
        }

    shared = a.meet(b)
    assert (elements(shared) if shared else set()) == elements(a) & elements(b)


@given(
    samples=st.tuples(st.integers(0, 3), st.integers(1, 6)).map(lambda p: (p[0], p[0] + p[1])),
    rows=st.tuples(st.integers(0, 5), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])),
    steps=st.integers(1, 5),
    width=st.integers(1, 9),
    room=st.integers(0, 200),
)
def test_blocks_partition_samples_rows_and_steps(samples, rows, steps, width, room):
    """Every (sample, row, step) is in one block, and no block holds more than fits."""
    positions = width + room
    seen = {}
    for block in blocks(samples, rows, steps, width, positions):
        assert block.positions(width) <= positions
        for b in range(*block.samples):
            for y in range(*block.rows):
                for t in range(*block.steps):
                    seen[b, y, t] = seen.get((b, y, t), 0) + 1
    wanted = [(b, y, t) for b in range(*samples) for y in range(*rows) for t in range(steps)]
    assert seen == dict.fromkeys(wanted, 1)


def test_a_row_that_does_not_fit_is_refused():
    """One row of one step is the smallest block there is."""
    with pytest.raises(MappingError, match="one row of 9 positions does not fit"):
        list(blocks((0, 1), (0, 1), 1, 9, 8))


@given(
    samples=st.tuples(st.integers(0, 3), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])),
    bits=st.integers(0, 100),
    capacity=st.integers(0, 400),
)
def test_sample_blocks_fill_half_of_the_memory(samples, bits, capacity):
    """Blocks follow each other; one holds more than half of the memory only as a single sample."""
    found = list(sample_blocks(samples, bits, capacity))
    assert [s for low, high in found for s in range(low, high)] == list(range(*samples))
    for low, high in found:
        assert high - low == 1 or (high - low) * bits <= capacity // 2


@st.composite
def tensors(draw):
    """A tensor [b][group][y][t][x][channel] and a box of it of whole channel groups."""
    tensor = Tensor(
        "t", draw(st.integers(0, 5000)), draw(SMALL), draw(st.integers(1, 16)),
        draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 6)),
        draw(st.integers(1, 6)), draw(st.sampled_from([1, 8, 16, 32])),
    )  # fmt: skip

    def box(size):
        return tuple(sorted((draw(st.integers(0, size)), draw(st.integers(0, size)))))

    low, high = box(tensor.groups)
    channels = (low * tensor.group, min(tensor.channels, high * tensor.group))
    return tensor, box(tensor.samples), box(tensor.steps), channels, box(tensor.rows)


@given(tensors())
def test_runs_cover_exactly_the_bytes_of_a_box(drawn):
    """A byte for every element of the box (a group's row padded to bytes), none outside it."""
    tensor, samples, steps, channels, rows = drawn
    strides = (tensor.samples, tensor.groups, tensor.rows, tensor.steps)
    wanted = []
    low, high = channels[0] // tensor.group, -(-channels[1] // tensor.group)
    if tensor.steps == 1:
        steps = (0, 1)  # shared by all steps
    for at in np.ndindex(*strides):
        inside = samples[0] <= at[0] < samples[1] and steps[0] <= at[3] < steps[1]
        if inside and low <= at[1] < high and rows[0] <= at[2] < rows[1]:
            number = int(np.ravel_multi_index(at, strides))
            start = tensor.address + number * tensor.row_bytes
            wanted += range(start, start + tensor.row_bytes)
    found = tensor.runs(samples, steps, channels, rows)
    assert [byte for start, size in found for byte in range(start, start + size)] == wanted
    assert all(size > 0 for _, size in found)
    assert all(sum(one) < two[0] for one, two in pairwise(found)), "neighbours are merged"


@given(SMALL, SMALL, st.integers(1, 9), st.integers(1, 16), st.integers(1, 16), st.integers(1, 3))
def test_weight_tiles_tile_the_tensor(outputs, inputs, taps, tile, chunk, groups):
    """In the order [k tile][c chunk][tap] every tile starts where the last one ends.

    Of a grouped convolution, a group's tiles follow those of the group before it.
    """
    weights = Weights("W", 64, groups * outputs, inputs, taps, tile, chunk, 16, groups)
    end = 0
    for group in range(groups):
        for k in range(group * outputs, (group + 1) * outputs, tile):
            for c in range(group * inputs, (group + 1) * inputs, chunk):
                for tap in range(taps):
                    assert weights.offset(k, c, tap) == end
                    end += weights.place((k, c, tap))[1]
    assert end == groups * outputs * inputs * taps
    assert weights.nbytes == 2 * end
    assert weights.run(0, end) == (64, weights.nbytes)


@given(st.data(), st.integers(1, 5), st.integers(1, 2), st.integers(1, 12))
def test_rows_that_meet_through_the_kernel(data, kernel, stride, height):
    """Input rows of a span of outputs, and the other way round, against all pairs of rows."""
    padding = data.draw(st.integers(0, kernel - 1))
    if height + 2 * padding < kernel:
        height = kernel
    layer = conv((1, height, height), 1, kernel, stride, padding)
    pairs = [
        (y, y * stride - padding + r)
        for y in range(layer.out_shape[1])
        for r in range(kernel)
        if 0 <= y * stride - padding + r < height
    ]
    low = data.draw(st.integers(0, layer.out_shape[1] - 1))
    high = data.draw(st.integers(low + 1, layer.out_shape[1]))
    reads = {i for y, i in pairs if low <= y < high}
    first, end = input_rows(layer, (low, high))
    assert reads <= set(range(first, end))
    assert not reads or (first, end - 1) == (min(reads), max(reads))
    low = data.draw(st.integers(0, height - 1))
    high = data.draw(st.integers(low + 1, height))
    gives = {y for y, i in pairs if low <= i < high}
    first, end = output_rows(layer, (low, high))
    assert gives <= set(range(first, end))
    assert not gives or (first, end - 1) == (min(gives), max(gives))


@settings(max_examples=15)
@given(
    st.sampled_from(["auto", "k", "batch", "spatial"]),
    st.sampled_from([1, 2, 5, 20]),
    st.integers(1, 30),
    st.sampled_from([None, 2, 3]),
)
def test_slices_partition_a_layer(split, cores, channels, pool):
    """Every neuron, every pooled row and every input row of a sample has one owner."""
    first = conv((2, 9, 7), channels, 3, padding=1, pool=pool)
    workload, recording = job(first, conv(first.pooled_shape, 5, 2), steps=1, batch=3)
    plan = place(workload, recording, *array_overrides(4, 4), f"mapping.split={split}",
                 f"cores={cores}")  # fmt: skip
    for layer_plan in plan.layers:
        k, e, _ = layer_plan.layer.out_shape
        owned, rows_in = (
            np.zeros((3, k, e), int),
            np.zeros((3, k, layer_plan.layer.in_shape[1]), int),
        )
        for part in layer_plan.cut.slices:
            at = part.neurons
            owned[slice(*at.samples), slice(*at.channels), slice(*at.rows)] += 1
            rows_in[slice(*at.samples), slice(*at.channels), slice(*part.input_rows)] += 1
        assert (owned == 1).all()
        assert (rows_in == 1).all()
        assert (layer_plan.cut.owner >= 0).all()
        assert [part.core for part in layer_plan.cut.slices] == list(
            range(len(layer_plan.cut.slices))
        )
        assert len(layer_plan.cut.slices) <= cores


@pytest.mark.parametrize("encoding", ["direct", "rate"])
def test_tensors_do_not_overlap_and_hold_all_that_tiles_touch(encoding):
    """Every transfer of every tile stays inside one tensor; tensors are row-aligned and apart."""
    first = conv((3, 9, 9), 20, 3, padding=1, pool=2)
    second = conv(first.pooled_shape, 33, 3, padding=1)
    workload, recording = job(first, second, linear(33 * 16, 17), batch=3, encoding=encoding)
    spilling = "core.memory.accumulators=8 Kib"
    plan, program = built(workload, recording, *APART, spilling)
    assert any((layer_plan.stored.dW == "dram") for layer_plan in plan.layers)
    tensors = sorted(plan.addresses.tensors.values(), key=lambda tensor: tensor.address)
    alignment = plan.addresses.alignment
    assert all(tensor.address % alignment == 0 for tensor in tensors)
    assert all(a.address + a.nbytes <= b.address for a, b in pairwise(tensors))
    assert tensors[-1].address + tensors[-1].nbytes <= plan.addresses.top
    starts = [tensor.address for tensor in tensors]
    for engines in program.tiles:
        for tile in (tile for tiles in engines.values() for tile in tiles):
            for start, size in (*tile.reads, *tile.writes):
                tensor = tensors[int(np.searchsorted(starts, start, side="right")) - 1]
                assert size > 0
                assert start + size <= tensor.address + tensor.nbytes, tensor.name


def test_saved_state_is_written_once():
    """U, S and m of every neuron and step are written exactly once, pooled spikes too."""
    first = conv((3, 8, 8), 20, 3, padding=1, pool=2)
    workload, recording = job(first, linear(20 * 16, 10), batch=3, steps=3)
    plan, program = built(workload, recording, "cores=7")
    written = np.zeros(plan.addresses.top, np.int8)
    for engines in program.tiles:
        for start, size in (run for tile in engines["fp"] for run in tile.writes):
            written[start : start + size] += 1
    for layer_plan in plan.layers:
        for tensor in layer_plan.addressed.tensors.values():
            bytes_of = written[tensor.address : tensor.address + tensor.nbytes]
            assert (bytes_of == 1).all(), tensor.name


def test_glm_neurons_are_laid_out_in_the_last_layer_alone():
    """Readers of their spikes would take several sums for one: refused by the layer's name."""
    job = as_inference(open_workload("spinaps-motions"))
    recording = job.load(0)
    assert place(job, recording).layers[0].layer.product_channels == 4 * 8
    (output,) = job.layers
    deeper = replace(job, layers=(output, replace(output, index=1, name="behind", sources=(0,))))
    with pytest.raises(MappingError, match="layer output: GLM neurons are laid over cores in"):
        place(deeper, recording)
