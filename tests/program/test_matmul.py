"""Matmuls on the chip: attention, however it is written and cut, breaks no law in either mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.test_laws import Run
from tests.program.graphs import NORM
from tests.program.jobs import array_overrides, tiles_of
from tests.reliability.matmuls import with_attention
from tests.reliability.networks import Draw, RandomTensors
from tlm.errors import MappingError, WorkloadError
from tlm.running.structures import check_structures
from tlm.space.phase import Phase
from tlm.workload.builder import Builder
from tlm.workload.held import Held
from tlm.workload.input_kind import kind_of
from tlm.workload.model import Norm, Pool, Recording, Workload
from tlm.workload.operand import Gate, Line, Operand, Part, Term, Window
from tlm.workload.surrogate import lif_neuron

HEADS, DEPTH, SIDE = 2, 12, 5
CHANNELS, TOKENS = HEADS * DEPTH, SIDE * SIDE
ORDERS = ("q k' first", "k' v first", "one layer for all three")


def matmul(read, index, held, outputs, sources, neuron=None):
    """A product of what ``sources`` leave and of what is held."""
    channels, height, width = CHANNELS, SIDE, SIDE
    if read is not None and read.kind == "matmul":
        channels, height, width = read.out_shape
    if held.input_transposed:
        channels, height, width = HEADS * TOKENS, DEPTH, 1
    return replace(
        attention_layers("")[0], index=index, name=f"matmul{index}", kind="matmul",
        in_shape=(channels, height, width), out_shape=(outputs, height, width), kernel=(1, 1),
        padding=(0, 0), sources=sources, bias=False, neuron=neuron, groups=HEADS, held=held,
    )  # fmt: skip


def attention_layers(order):
    """q, k and v of frames, the two products of an order, a read-out."""
    net = Builder((3, SIDE, SIDE), lif_neuron())
    if order == "one layer for all three":
        net.conv(3 * CHANNELS, kernel=3, padding=1)
    else:
        for _ in range(3):
            net.conv(CHANNELS, kernel=3, padding=1, sources=[-1])
    layers = list(net.layers)
    if not order:
        return layers
    neuron, at = lif_neuron(), len(layers)
    if order == "q k' first":
        layers.append(matmul(None, at, Held((1,), transposed=True), HEADS * TOKENS, (0,)))
        layers.append(matmul(layers[-1], at + 1, Held((2,), scale=0.25), CHANNELS, (at,), neuron))
    elif order == "k' v first":
        layers.append(matmul(None, at, Held((2,), input_transposed=True), CHANNELS, (1,)))
        layers.append(matmul(None, at + 1, Held((at,), scale=0.25), CHANNELS, (0,), neuron))
    else:
        q, k, v = (third(number) for number in range(3))
        first = matmul(None, at, Held((0,), k, transposed=True), HEADS * TOKENS, (0,))
        layers.append(replace(first, operand=q))
        layers.append(matmul(layers[-1], at + 1, Held((0,), v), CHANNELS, (at,), neuron))
    net.layers[:] = layers
    net.linear(10)
    return [replace(layer, input_kind=kind_of(layer, net.layers, "binary")) for layer in net.layers]


def third(number):
    """A third of the channels of layer 0."""
    every = Line(0, SIDE)
    first = number * CHANNELS
    window = Window((3 * CHANNELS, SIDE, SIDE), first, first + CHANNELS, every, every)
    return Operand((Part(CHANNELS, (Term(0, (window,)),)),))


def attention(order, batch=3, steps=3, seed=0):
    """A job for inference with random spikes; layers without neurons leave values."""
    layers = tuple(attention_layers(order))
    workload = Workload(
        Path("random"), "random", layers, steps, batch, "random", "none", 0.0, "adam", "rate",
        (0,), ("bits",), {}, "0" * 64, mode="inference",
    )  # fmt: skip
    draw = np.random.default_rng(seed)
    spikes = tuple(
        np.ones(workload.neuron_shape(layer), np.bool_)
        if layer.neuron is None
        else draw.random(workload.neuron_shape(layer)) < 0.3
        for layer in layers
    )
    none = tuple(np.zeros(workload.neuron_shape(layer), np.bool_) for layer in layers)
    inputs = draw.random(workload.input_shape) < 0.4
    return workload, Recording(0, inputs, spikes, none, none, none)


def trained(order, batch=3, steps=3, seed=0):
    """The same job with gradients, of some pairs none."""
    job, forward = attention(order, batch, steps, seed)
    return with_gradients(replace(job, mode="training"), forward, seed)


def with_gradients(job, forward, seed=0):
    """A recording with random gradients beside its spikes."""
    draw = np.random.default_rng(seed + 1)
    shapes = [job.neuron_shape(layer) for layer in job.layers]
    masks = tuple(
        np.ones(shape, np.bool_) if layer.neuron is None else draw.random(shape) < 0.5
        for layer, shape in zip(job.layers, shapes, strict=True)
    )
    gradients = tuple(
        (draw.random(shape) < 0.4) & (draw.random((*shape[:2], 1, 1, 1)) < 0.8) for shape in shapes
    )
    return job, replace(forward, masks=masks, dU=gradients, dY=gradients)


JOBS = {"inference": attention, "training": trained}


@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", JOBS)
def test_attention_breaks_no_law(mode, order, split):
    """Cut along any dimension."""
    run = Run(f"mapping.split={split}", of=JOBS[mode](order))
    assert run.broken() == []
    assert "held operands in their buffers" in {check.name for check in run.checks()}


def refusal(job, **held):
    """What is said of a job whose last matmul holds something else."""
    layers = list(job.layers)
    at = max(layer.index for layer in layers if layer.held is not None)
    layers[at] = replace(layers[at], held=replace(layers[at].held, **held))
    with pytest.raises(WorkloadError, match="which the chip model does not run yet") as refused:
        check_structures(replace(job, layers=tuple(layers)))
    return str(refused.value)


def test_what_is_not_run_is_refused():
    """Sums, pools and gates in what a matmul holds."""
    job, _ = attention("q k' first")
    check_structures(job)
    check_structures(replace(job, mode="training"))
    assert "a sum of layers in what it holds" in refusal(job, sources=(1, 2))
    pooled = Operand((Part(CHANNELS, (Term(2, (Pool("max", (3, 3), (1, 1), (1, 1)),)),)),))
    assert "a pool in what it holds" in refusal(job, operand=pooled)
    gated = Operand((Part(CHANNELS, (Term(2, gates=(Gate(1),)),)),))
    assert "products of spikes in what it holds" in refusal(job, operand=gated, sources=(1, 2))
    summed = Operand((Part(CHANNELS, (Term(1), Term(2))),))
    assert "a sum of layers in what it holds" in refusal(job, operand=summed, sources=(1, 2))


TRAINED = {
    "decay and threshold": {"learnt": ("decay", "threshold")},
    "leaks of channels": {"learnt": ("leak",), "by_channel": True},
    "norm": {},
    "norm by step": {},
}


@pytest.mark.parametrize(
    ("split", "policy"), [("auto", "exact"), ("batch", "frozen"), ("spatial", "exact")]
)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("what", TRAINED)
def test_numbers_trained_behind_attention_break_no_law(what, order, split, policy):
    """What neurons learn; scale and shift of a norm, whose gradients are dense."""
    job, recorded = trained(order)
    [at] = [layer.index for layer in job.layers if layer.held is not None and layer.neuron]
    layers, dY = list(job.layers), list(recorded.dY)
    neuron, norm = replace(layers[at].neuron, **TRAINED[what]), None
    if what.startswith("norm"):
        by_step = what == "norm by step"
        norm, dY[at] = Norm("batch", 1e-5, by_step, by_step=by_step), np.ones_like(dY[at])
    layers[at] = replace(layers[at], neuron=neuron, norm=norm)
    changed = replace(job, layers=tuple(layers)), replace(recorded, dY=tuple(dY))
    check_structures(changed[0])
    run = Run(f"mapping.split={split}", f"mapping.batch_norm={policy}", of=changed)
    assert run.broken() == []
    count = (len(neuron.learnt) or 2) * (1 if not (norm or neuron.by_channel) else CHANNELS)
    updated = sum(tile.covers for tile in tiles_of(run.program, Phase.UPDATE, at))
    assert updated == count * (job.steps if norm is not None and norm.by_step else 1)


def test_a_norm_behind_attention_is_not_folded():
    """There are no weights to fold it into."""
    job, recorded = trained(ORDERS[0])
    layers = [
        replace(each, norm=NORM) if each.held and each.neuron else each for each in job.layers
    ]
    with pytest.raises(MappingError, match="no weights to fold it into; use exact or frozen"):
        Run("mapping.batch_norm=folded", of=(replace(job, layers=tuple(layers)), recorded))


CHIPS = {
    "step by step": ("mapping.schedule=wavefront",),
    "sample by sample": ("mapping.schedule=pipelined", "mapping.static_input=every_step"),
    "dense, other arrays": (
        *array_overrides(8, 32), "core.engines.fp.mode=dense", "dram.model=ideal",
    ),
    "lanes on their own": ("core.engines.fp.mode=element", "noc.model=router"),
    "held sums": ("core.engines.fp.dataflow=output", "core.memory.sharing=separate"),
    "held inputs": ("core.engines.fp.dataflow=input",),
    "weights come again behind it": (
        "mapping.parameters=spill", "mapping.split=k+spatial", "mapping.schedule=pipelined",
    ),
    "odd widths, small buffers": (
        "precision.weight=12 bit", "precision.input=6 bit", "core.memory.weights=6 Kib",
        "core.memory.spikes=8 Kib",
    ),
    "few sums at a time": (*array_overrides(4, 4), "core.memory.accumulators=8 Kib"),
}  # fmt: skip


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", JOBS)
def test_attention_on_other_chips(mode, order, chip):
    """Schedules, dataflows, memories, models of network and DRAM."""
    assert Run(*CHIPS[chip], of=JOBS[mode](order)).broken() == []


@st.composite
def any_attention(draw):
    """A job of attention drawn at random behind a convolution, trained or not; its masks too."""
    net = Builder((2, draw(st.integers(1, 4)), draw(st.integers(1, 3))), lif_neuron())
    net.conv(draw(st.integers(1, 6)), kernel=1)
    layers = tuple(draw(with_attention(net.layers, "binary")))
    masks = draw(st.builds(Draw, st.integers(0, 9), *[st.sampled_from((0.1, 0.5, 1.0))] * 5))
    job = Workload(
        Path("random"), "random", layers, draw(st.integers(1, 3)), draw(st.integers(1, 2)),
        "random", "none", 0.0, "adam", "rate", (0,), ("bits",), {}, "0" * 64,
        tensors=RandomTensors(masks),
    )  # fmt: skip
    recorded = job.load(0)
    if draw(st.booleans()):
        return job, recorded
    none = tuple(np.zeros_like(spikes) for spikes in recorded.spikes)
    return replace(job, mode="inference"), replace(recorded, masks=none, dU=none, dY=none)


@settings(max_examples=20)
@given(any_attention(), st.sampled_from(("auto", "k", "batch", "spatial")), st.booleans())
def test_any_attention_breaks_no_law(of, split, small):
    """One step, token or head, q that is k or v, values without neurons, on arrays of any size."""
    job, _ = of
    folded = ["mapping.batch_norm=folded"] * (job.mode == "inference")
    arrays = array_overrides(4, 8) if small else ()
    assert Run(f"mapping.split={split}", *folded, *arrays, of=of).broken() == []
