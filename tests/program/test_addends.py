"""Layers without weights that put together what they read: parts, windows, pools and gates."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.program.graphs import (
    NORM,
    broken_laws,
    builder,
    gathering,
    put_together,
    recording,
    window,
    without_neurons,
    workload,
)
from tests.program.jobs import IDEAL_DRAM, built, corrupt, tiles_of
from tests.program.test_operands import CHIPS
from tests.program.test_shortcuts import SOME, energy
from tests.reliability.probe import CHIPS as SETTINGS
from tests.reliability.probe import SMALL
from tlm.errors import WorkloadError
from tlm.running.structures import check_structures
from tlm.space.phase import Phase
from tlm.storage.mapping_file import mapping_text
from tlm.workload.model import Pool
from tlm.workload.operand import Gate, Line, Operand, Part, Term


def attention(norm=None):
    """The Spike-driven Transformer's: k AND v, summed over all tokens, gate q behind neurons."""
    net = builder((3, 4, 4), norm)
    first = net.conv(20, kernel=3, padding=1)
    q, k, v = (net.conv(20, kernel=1, sources=(first,)) for _ in range(3))
    tokens = Pool.square("sum", 4, 4)
    kv = gathering(net, (20, [Term(k, gates=(Gate(v),))]), input_pool=tokens)
    every = window((20, 1, 1), rows=Line(0, 1, repeat=4), columns=Line(0, 1, repeat=4))
    put_together(net, (20, [Term(q, gates=(Gate(kv, (every,)),))]), channels=20)
    net.linear(10)
    return workload(net.layers)


def parts(norm=None):
    """Channels of two layers shuffled, one of them pooled and upsampled; the rest is zero."""
    net = builder((2, 6, 6), norm)
    first = net.conv(8, kernel=3, padding=1)
    second = net.conv(6, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    low, high = (window((8, 6, 6), channels=span) for span in ((0, 3), (3, 8)))
    up = window((6, 3, 3), rows=Line(0, 3, repeat=2), columns=Line(0, 3, repeat=2))
    small = Pool.square("max", 3, 1, 1)
    third = gathering(
        net,
        (5, [Term(first, (high,))]),
        (6, [Term(second, (up,))]),
        (3, [Term(first, (low,)), Term(first, (small, low))]),
        (4, []),
        pool=Pool.square("average", 2, 2),
    )
    net.conv(18, kernel=3, padding=1, sources=(third,))
    net.linear(5)
    return workload(net.layers)


def gates():
    """Of three factors, one a row further; IAND; a pool whose windows share rows."""
    net = builder((2, 6, 6))
    first = net.conv(6, kernel=3, padding=1)
    second = net.conv(6, kernel=1, sources=(first,))
    down = window((6, 6, 6), rows=Line(0, 5, before=1))
    every = Term(first, gates=(Gate(second), Gate(first, (down,))))
    third = gathering(net, (6, [every, Term(second)]))
    less = Term(third, gates=(Gate(second, inverted=True),))
    crop = window(
        (6, 6, 6), rows=Line(1, 4, before=2, after=1), columns=Line(0, 6, step=2, spread=2, after=1)
    )
    fourth = gathering(
        net,
        (6, [less]),
        (6, [Term(second, (crop,))]),
        input_pool=Pool(("average"), (3, 2), (1, 2), (1, 0)),
    )
    net.conv(4, kernel=1, sources=(fourth,))
    return workload(net.layers)


def values():
    """Numbers go on: a sum of windows without neurons to a head of its own, and to neurons."""
    net = builder((2, 5, 6))
    first = net.conv(4, kernel=3, padding=1)
    right = window((4, 5, 6), columns=Line(0, 5, before=1))
    total = gathering(net, (4, [Term(first), Term(first, (right,))]), neuron=None)
    gathering(net, (4, [Term(total, (right,), gates=(Gate(first),))]))
    last = net.conv(3, kernel=3)
    without_neurons(net, last)
    return workload(net.layers)


NETS = {
    "attention": attention,
    "attention and batch norm": lambda: attention(NORM),
    "parts": parts,
    "parts and batch norm": lambda: parts(NORM),
    "gates": gates,
    "values": values,
}


@pytest.mark.parametrize("chip", CHIPS, ids=range(len(CHIPS)))
@pytest.mark.parametrize("name", NETS)
def test_all_laws_hold(name, chip):
    """On chips of different shapes and memories."""
    job = NETS[name]()
    plan, program = built(job, recording(job, live=0.8), IDEAL_DRAM, *chip)
    broken, _ = broken_laws(plan, program, IDEAL_DRAM, *chip)
    assert broken == []


@pytest.mark.parametrize("chip", SOME)
@pytest.mark.parametrize("name", NETS)
def test_all_laws_hold_in_training_and_inference(name, chip):
    """Whatever the schedule, the statistics and what stays where."""
    job, overrides = NETS[name](), (*SMALL, *SETTINGS[chip])
    plan, program = built(job, recording(job, live=0.8), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    job, masks = replace(job, mode="inference"), recording(job)
    overrides = (*overrides, "mapping.batch_norm=folded")
    none = tuple(np.broadcast_to(np.False_, spikes.shape) for spikes in masks.spikes)
    plan, program = built(job, replace(masks, masks=none, dU=none, dY=none), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


ALONE = ("cores=1", "mapping.state=spill", "core.memory.sharing=separate")
TOKENS, WIDE, PAIRS = 16, 20, 4  # two steps of two samples
GROUPS, BITS = 32, 16  # channels of 20 in DRAM; of dI


def runs_of(tile, tensor):
    """The runs of a tensor that a tile reads."""
    end = tensor.address + tensor.nbytes
    return tuple(run for run in tile.reads if tensor.address <= run[0] < end)


def test_attention_counted_by_hand():
    """An AND a token, a sum over tokens, one soma a channel; back, dI meets v on its way to k."""
    job = attention()
    plan, program = built(job, recording(job), *ALONE)
    q, k, v, kv = plan.layers[1:5]
    own = [tile for tile in program.all_tiles() if tile.layer == kv.layer.index]
    assert {tile.phase for tile in own} == {Phase.FP, Phase.GRAD}
    assert sum(tile.work.dense for tile in own) == 0
    forward, back = partial(energy, program, Phase.FP), partial(energy, program, Phase.GRAD)
    assert forward(4, "fp.input_add") == WIDE * TOKENS * PAIRS
    assert forward(4, "fp.input_pool") == WIDE * (TOKENS - 1) * PAIRS
    assert forward(4, "fp.shortcut_add") == forward(4, "fp.soma_op") == WIDE * PAIRS
    for layer in (2, 3):
        assert back(layer, "bp.partial_read") == WIDE * TOKENS * PAIRS
        assert back(layer, "bp.reduce_add") == 0
    dI = kv.addressed.tensors["dI"]
    assert dI.nbytes == GROUPS * PAIRS * BITS // 8
    for layer_plan, other in ((k, v), (v, k)):
        for tensor in (dI, other.addressed.output):
            tiles = tiles_of(program, Phase.GRAD, layer_plan.layer.index)
            read = sum(size for tile in tiles for _, size in runs_of(tile, tensor))
            assert read == tensor.nbytes
    assert not any(runs_of(tile, dI) for tile in tiles_of(program, Phase.GRAD, q.layer.index))
    assert "reads: [conv2, conv3]" in mapping_text(plan)


def spoilt(program, what, tensor):
    """A tile that lacks what it should read of a tensor, wait for or count; None: all have it."""
    phase, layer, part = what
    for tile in tiles_of(program, phase, layer):
        if part == "reads" and runs_of(tile, tensor):
            some = runs_of(tile, tensor)
            corrupt(tile, part, tuple(run for run in tile.reads if run not in some))
            return
        if part == "read_needs" and runs_of(tile, tensor):
            corrupt(tile, part, ())
            return
        if tile.work.energy.get(part):
            counts = {**tile.work.energy, part: tile.work.energy[part] - 1}
            corrupt(tile, "work", replace(tile.work, energy=counts))
            return
    raise AssertionError(what)


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ((Phase.FP, 4, "reads"), "k"),
        ((Phase.FP, 4, "reads"), "v"),
        ((Phase.FP, 4, "read_needs"), "v"),
        ((Phase.FP, 4, "fp.input_add"), ""),
        ((Phase.FP, 4, "fp.input_pool"), ""),
        ((Phase.FP, 4, "fp.shortcut_add"), ""),
        ((Phase.FP, 4, "fp.soma_op"), ""),
        ((Phase.GRAD, 2, "reads"), "dI"),
        ((Phase.GRAD, 2, "reads"), "v"),
        ((Phase.GRAD, 3, "reads"), "k"),
        ((Phase.GRAD, 3, "read_needs"), "dI"),
        ((Phase.GRAD, 2, "bp.partial_read"), ""),
    ],
)
def test_laws_miss_what_is_left_out(what, of):
    """Of reads, of waiting, and of the work of the units."""
    job = attention()
    plan, program = built(job, recording(job), *ALONE)
    _, _, k, v, kv, *_ = plan.layers
    tensors = {"k": k.addressed.output, "v": v.addressed.output}
    tensors["dI"] = kv.addressed.tensors["dI"]
    spoilt(program, what, tensors.get(of))
    assert broken_laws(plan, program, *ALONE)[0]


def refusal(change):
    """What is said of attention whose layer without weights is another."""
    job = attention()
    layers = list(job.layers)
    layers[4] = change(layers[4])
    with pytest.raises(WorkloadError, match="which the chip model does not run yet") as refused:
        check_structures(replace(job, layers=tuple(layers)))
    return str(refused.value)


def test_what_is_not_run_is_refused():
    """The network's input, the largest of products, of numbers; norms and flattening."""
    check_structures(attention())
    some = Operand((Part(3, (Term(-1, (window((3, 4, 4)),)),)),))
    assert "the network's input" in refusal(lambda n: replace(n, operand=some, sources=(-1,)))
    largest = Pool.square("max", 4, 4)
    assert "a max pool of a sum" in refusal(lambda n: replace(n, input_pool=largest))
    numbers = Term(1, (Pool.square("average", 2, 1, 0), Pool.square("max", 3, 3)))
    operand = Operand((Part(WIDE, (numbers,)),))
    said = refusal(lambda n: replace(n, operand=operand, sources=(1,), input_pool=None))
    assert "a max pool of numbers" in said
    assert "a norm" in refusal(lambda n: replace(n, norm=NORM))
    flat = (WIDE * TOKENS, 1, 1)
    said = refusal(lambda n: replace(n, input_pool=None, in_shape=flat, out_shape=flat))
    assert "flattens" in said
