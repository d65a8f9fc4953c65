"""Multiplying tile by tile as planned gives Y, dX and dW: every MAC is done exactly once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.program import graphs
from tests.program.jobs import NO_SLICE_SKIPPING, built
from tlm.counts.layer_work import LayerWork
from tlm.workload import open_workload
from tlm.workload.golden.network import forward
from tlm.workload.golden.passes import Forced
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.model import Pool
from tlm.workload.values import Parameters

ENGINES = ("fp", "bp", "wg")
SMALL = ["core.memory.gradients=24 Kib", "core.memory.spikes=16 Kib", "core.memory.weights=8 Kib",
         "core.memory.accumulators=16 Kib", "core.memory.membrane=32 Kib",
         "core.memory.optimizer=16 Kib", "core.memory.batch_norm=4 Kib",
         "core.memory.spike_gradients=4 Kib"]  # fmt: skip


def recorded_walks(monkeypatch, workload, recording, overrides):
    """(Plan, [(engine, layer, block, outputs of the slice, weight tiles)]) of a built program."""
    seen = []

    def spy(engine, method):
        def walk(self, blocks, part, *rest):
            for some in method(self, blocks, part, *rest):
                if some.layout.scanned:
                    tiles = [tile for entry in some.layout.tiles for tile in entry]
                    seen.extend((engine, self.layer.index, one, part, tiles) for one in some.blocks)
                yield some

        return walk

    for engine, name in (("fp", "forward"), ("bp", "backward"), ("wg", "weight_gradient")):
        monkeypatch.setattr(LayerWork, name, spy(engine, getattr(LayerWork, name)))
    plan, _ = built(workload, recording, *overrides)
    return plan, seen


def reduced(name, samples, steps):
    """A few samples and steps of the last recording of an exact job, and its values."""
    workload = open_workload(name)
    recording, values = workload.load(2), workload.load_values(2)
    cut = (slice(None, steps), slice(None, samples))
    inputs = (cut[1],) if workload.encoding == "direct" else cut

    def few(tensors):
        return tuple(one[cut] for one in tensors)

    recording = replace(
        recording, inputs=recording.inputs[inputs], spikes=few(recording.spikes),
        masks=few(recording.masks), dU=few(recording.dU),
        dY=few(recording.dY),
    )  # fmt: skip
    values = replace(values, inputs=values.inputs[inputs], dI=few(values.dI))
    return replace(workload, batch=samples, steps=steps), recording, values


def multiply(layer, engine, block, tile, ends, operands, total):
    """All multiply-accumulates of a weight tile at the positions of a block, 16 bit operands."""
    (k, c, tap), (k1, c1) = tile, ends
    r, s = divmod(tap, layer.kernel[1])
    depth = layer.weight_shape[1]
    at = slice(c % depth, c % depth + c1 - c)  # among the inputs of its group
    pairs = (slice(*block.steps), slice(*block.samples))
    (_, h, w), (_, e, f) = layer.in_shape, layer.product_shape
    rows = block.rows if engine != "bp" else (0, e)
    for y in range(*rows):
        row = y * layer.stride[0] - layer.padding[0] + r
        if not 0 <= row < h or (engine == "bp" and not block.rows[0] <= row < block.rows[1]):
            continue
        for x in range(f):
            column = x * layer.stride[1] - layer.padding[1] + s
            if not 0 <= column < w:
                continue
            weights, inputs, gradients = operands
            if engine == "fp":
                total[(*pairs, slice(k, k1), y, x)] += (
                    inputs[(*pairs, slice(c, c1), row, column)] @ weights[k:k1, at, r, s].T
                )
            elif engine == "bp":
                total[(*pairs, slice(c, c1), row, column)] += (
                    gradients[(*pairs, slice(k, k1), y, x)] @ weights[k:k1, at, r, s]
                )
            else:
                total[k:k1, at, r, s] += np.einsum(
                    "tbk,tbc->kc", gradients[(*pairs, slice(k, k1), y, x)],
                    inputs[(*pairs, slice(c, c1), row, column)],
                )  # fmt: skip


CASES = [
    ("digits", "weight", "inserted", "auto"),
    ("digits", "output", "compacted", "k"),
    ("digits", "input", "compacted", "spatial"),
    ("nmnist-cnn", "weight", "compacted", "spatial"),
    ("nmnist-cnn", "output", "inserted", "auto"),
    ("nmnist-cnn", "input", "compacted", "batch"),
    pytest.param("mnist-csnn", "weight", "inserted", "auto", marks=pytest.mark.slow),
    pytest.param("mnist-csnn", "input", "inserted", "k", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "dataflow", "grid", "split"), CASES)
def test_the_walk_rebuilds_currents_and_gradients(monkeypatch, name, dataflow, grid, split):
    """Multiplying tile by tile as walked gives X, dS and dW: every MAC is done exactly once."""
    workload, recording, values = reduced(name, samples=2, steps=2)
    overrides = [f"mapping.split={split}", NO_SLICE_SKIPPING, "core.memory.membrane=64 Kib"]
    overrides += [f"core.engines.{engine}.dataflow={dataflow}" for engine in ENGINES]
    overrides += [f"core.engines.{engine}.grid={grid}" for engine in ("bp", "wg")]
    plan, walks = recorded_walks(monkeypatch, workload, recording, overrides)
    for layer in workload.layers:
        inputs = layer_inputs(workload, recording, values, layer)
        operands = [values.parameters[layer.index].weights, inputs, values.dI[layer.index]]
        check_layer(layer, *in_16_bit_multiplied(plan, walks, layer, operands))


def in_16_bit_multiplied(plan, walks, layer, operands):
    """The operands W, X, dY of a layer in 16 bit, and Y, dX and dW summed as it is walked."""
    operands = [np.asarray(operand, np.float16).astype(np.float32) for operand in operands]
    pairs = operands[1].shape[:2]
    sums = {
        "fp": np.zeros((*pairs, *layer.product_shape), np.float32),
        "bp": np.zeros((*pairs, *layer.in_shape), np.float32),
        "wg": np.zeros(layer.weight_shape, np.float32),
    }
    depth = layer.weight_shape[1]
    width = layer.out_shape[0] // layer.groups
    for engine, index, block, part, tiles in walks:
        if index == layer.index:
            for tile in tiles:
                group = tile[1] // depth
                outputs, inputs = min(part[1], (group + 1) * width), (group + 1) * depth
                sizes = (plan.arrays.tile, plan.arrays.chunk)
                ends = (min(tile[0] + sizes[0], outputs), min(tile[1] + sizes[1], inputs))
                multiply(layer, engine, block, tile, ends, operands, sums[engine])
    if plan.layers[layer.index].repeats > 1:
        sums["fp"][1:] += sums["fp"][0]  # the frame is multiplied at the first step alone
    return operands, sums


def graph(norm=None):
    """Residual sums, a stride, a grouped convolution, overlapping pools and a read-out."""
    net = graphs.builder((5, 9, 8), norm)
    first = net.conv(20, kernel=3, padding=1)
    second = net.conv(20, kernel=3, padding=1)
    net.conv(36, kernel=3, stride=2, padding=1, sources=(first, second))
    net.conv(40, kernel=3, padding=1, groups=2, pool=Pool.square("max", 3, 2, 1))
    net.linear(10, readout=True)
    return graphs.workload(net.layers, steps=2, batch=3)


@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
@pytest.mark.parametrize("small", [False, True], ids=["default", "small"])
@pytest.mark.parametrize("norm", [None, graphs.NORM], ids=["plain", "norm"])
def test_the_walk_of_a_graph_rebuilds_currents_and_gradients(monkeypatch, norm, small, split):
    """Random numbers where the masks are set: sweeps and passes leave out no MAC, repeat none."""
    job = graph(norm)
    recorded = graphs.recording(job)
    overrides = [f"mapping.split={split}", "mapping.state=spill", NO_SLICE_SKIPPING]
    overrides += SMALL if small else []
    plan, walks = recorded_walks(monkeypatch, job, recorded, overrides)
    draw = np.random.default_rng(1)
    parameters = [
        Parameters(draw.normal(size=layer.weight_shape), *[np.ones(layer.out_shape[0])] * 3)
        for layer in job.layers
    ]
    forced = [Forced(spikes, None, None) for spikes in recorded.spikes]
    values = recorded.inputs * draw.normal(size=recorded.inputs.shape)
    passed = forward(job.layers, job.steps, values, parameters, forced)
    for layer in job.layers:
        dY = recorded.dY[layer.index]
        operands = [parameters[layer.index].weights, passed[layer.index].inputs,
                    dY * draw.normal(size=dY.shape)]  # fmt: skip
        check_layer(layer, *in_16_bit_multiplied(plan, walks, layer, operands))


def layer_inputs(workload, recording, values, layer):
    """What a layer of a chain reads, as numbers."""
    if layer.index == 0:
        inputs = values.inputs
        if workload.encoding == "direct":
            inputs = np.broadcast_to(inputs, (workload.steps, *inputs.shape))
        return inputs.reshape(*inputs.shape[:2], *layer.in_shape)
    before = workload.layers[layer.index - 1]
    spikes = recording.spikes[before.index]
    if before.pool is not None:
        size = before.pool.size[0]
        cut = spikes[..., : spikes.shape[3] // size * size, : spikes.shape[4] // size * size]
        t, b, k, y, x = cut.shape
        spikes = cut.reshape(t, b, k, y // size, size, x // size, size).any(axis=(4, 6))
    return spikes.reshape(*spikes.shape[:2], *layer.in_shape)


def check_layer(layer, operands, sums):
    """Against the golden products, in double precision, to the rounding of 16 bit."""
    weights, inputs, gradients = (one.astype(np.float64) for one in operands)
    folded = [one.reshape(-1, *one.shape[2:]) for one in (inputs, gradients)]
    wanted = {
        "fp": product(layer, folded[0], weights),
        "wg": weight_gradient(layer, folded[0], folded[1]),
    }
    if layer.index:
        wanted["bp"] = input_gradient(layer, folded[1], weights)
    for engine, expected in wanted.items():
        found = sums[engine].reshape(expected.shape)
        scale = np.abs(expected).max()
        assert scale > 0, (layer.name, engine)
        np.testing.assert_allclose(found, expected, rtol=0, atol=scale * 2.0**-11)
