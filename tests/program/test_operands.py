"""Layers that read parts put together: concatenations, windows, pools on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.program.graphs import (
    NORM,
    broken_laws,
    builder,
    put_together,
    recording,
    window,
    workload,
)
from tests.program.jobs import IDEAL_DRAM, array_overrides, built, tiles_of
from tests.program.test_graph import SMALL_MEMORIES
from tlm.space.phase import Phase
from tlm.workload.model import Pool
from tlm.workload.operand import Gate, Line, Term

CHIPS = (
    ("cores=1",),
    ("cores=4", "mapping.split=batch"),
    ("cores=4", "mapping.split=spatial", *SMALL_MEMORIES, *array_overrides(4, 4)),
    ("cores=6", "mapping.split=k", *array_overrides(4, 4), "core.memory.spikes=8 Kib"),
    ("cores=4", *SMALL_MEMORIES, *array_overrides(8, 4), "core.engines.bp.grid=compacted"),
    (
        "cores=2",
        *array_overrides(4, 4),
        "core.memory.sharing=separate",
        "core.memory.spike_gradients=64 bit",
        "core.memory.spikes=8 Kib",
    ),
)


def concatenation(norm=None):
    """conv2 and conv0 + conv1, one behind the other."""
    net = builder((3, 6, 6), norm)
    first = net.conv(8, kernel=3, padding=1)
    second = net.conv(8, kernel=1)
    third = net.conv(6, kernel=3, padding=1, sources=(first,))
    both = [Term(first), Term(second)]
    put_together(net, (6, [Term(third)]), (8, both), channels=5, kernel=3, padding=1)
    net.linear(4)
    return workload(net.layers)


def dense_block():
    """Every layer reads all before it, as in a DenseNet."""
    net = builder((4, 4, 4))
    net.conv(4, kernel=3, padding=1)
    for number in range(1, 4):
        before = [(4, [Term(at)]) for at in range(number)]
        put_together(net, *before, channels=4, kernel=3, padding=1)
    put_together(net, *((4, [Term(at)]) for at in range(4)), channels=3, linear=True)
    return workload(net.layers)


def branches():
    """Two halves of the channels go their own ways, and are shuffled when they come together."""
    net = builder((2, 6, 6))
    first = net.conv(8, kernel=3, padding=1)
    halves = [window((8, 6, 6), channels=(at, at + 4)) for at in (0, 4)]
    left = put_together(net, (4, [Term(first, (halves[0],))]), channels=4, kernel=3, padding=1)
    ones = [
        (1, [Term(source, (window(shape, channels=(at, at + 1)),))])
        for at in range(4)
        for source, shape in ((left, (4, 6, 6)), (first, (8, 6, 6)))
    ]
    put_together(net, *ones, channels=6, kernel=3)
    return workload(net.layers)


def pooled_branches():
    """A layer and its max-pooled and average-pooled versions come together; then a flat window."""
    net = builder((2, 6, 6))
    first = net.conv(4, kernel=3, padding=1)
    second = net.conv(4, kernel=3, padding=1)
    same = Pool.square("max", 3, 1, 1)
    average = Pool.square("average", 3, 1, 1)
    third = put_together(
        net, (4, [Term(first, (same,)), Term(second)]), (4, [Term(second, (average,))]),
        channels=4, kernel=2,
    )  # fmt: skip
    flat = window((100, 1, 1), channels=(10, 70))
    put_together(net, (60, [Term(third, (flat,))]), channels=5, linear=True)
    return workload(net.layers)


def pyramid():
    """As in a U-Net: pooled, upsampled, cropped and padded, and joined with what was before."""
    net = builder((2, 7, 8))
    first = net.conv(4, kernel=3, padding=1)
    small = net.conv(6, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    up = window((6, 3, 4), rows=Line(0, 3, repeat=2, after=1), columns=Line(0, 4, repeat=2))
    joined = put_together(
        net, (4, [Term(first)]), (6, [Term(small, (up,))]), channels=5, kernel=3, padding=1
    )
    every = window((5, 7, 8), rows=Line(1, 7, step=2), columns=Line(0, 8, step=3))
    crop = window((4, 7, 8), rows=Line(2, 5), columns=Line(5, 7, before=1))
    put_together(
        net, (5, [Term(joined, (every,))]), (4, [Term(first, (crop,))]), channels=3, kernel=2
    )
    return workload(net.layers)


def shifted():
    """A layer, and the same a column to the right or a row further down, added."""
    net = builder((2, 5, 6))
    first = net.conv(4, kernel=3, padding=1)
    right = window((4, 5, 6), columns=Line(0, 5, before=1))
    down = window((4, 5, 6), rows=Line(0, 4, before=1))
    second = put_together(
        net, (4, [Term(first), Term(first, (right,))]), channels=4, kernel=3, padding=1
    )
    put_together(net, (4, [Term(second), Term(first, (down,))]), channels=3, kernel=3)
    return workload(net.layers)


def decoder():
    """Two transposed convolutions, one of several sources: zeros between rows and columns."""
    net = builder((2, 5, 4))
    first = net.conv(4, kernel=3, padding=1)
    second = net.conv(6, kernel=3, padding=1)
    apart = [window((channels, 5, 4), rows=Line(0, 5, spread=2, after=1),
                    columns=Line(0, 4, spread=3)) for channels in (4, 6)]  # fmt: skip
    both = [(4, [Term(first, (apart[0],))]), (6, [Term(second, (apart[1],))])]
    third = put_together(net, *both, channels=5, kernel=3, padding=1)
    some = window((5, 10, 10), rows=Line(1, 9, step=3, before=2, spread=2),
                  columns=Line(0, 10, repeat=2, step=4, spread=2))  # fmt: skip
    put_together(net, (5, [Term(third, (some,))]), channels=3, kernel=2)
    return workload(net.layers)


def skip_from_the_input(encoding="rate"):
    """The network's input, whole and cropped, beside what is made of it."""
    net = builder((3, 6, 6))
    first = net.conv(4, kernel=3, padding=1)
    put_together(
        net, (4, [Term(first)]), (3, [Term(-1, (window((3, 6, 6)),))]),
        channels=4, kernel=3, padding=1,
    )  # fmt: skip
    middle = window((3, 6, 6), channels=(1, 3), rows=Line(1, 5), columns=Line(1, 5))
    put_together(net, (2, [Term(-1, (middle,))]), channels=3, kernel=3)
    return replace(workload(net.layers), encoding=encoding)


def gates(norm=None):
    """As SEW-ResNet with AND and IAND: a stage of three factors, then a pool of their product."""
    net = builder((3, 6, 6), norm)
    first = net.conv(8, kernel=3, padding=1)
    second = net.conv(8, kernel=1)
    both = Term(first, gates=(Gate(second),))
    third = put_together(net, (8, [both]), channels=8, kernel=3, padding=1)
    every = Term(first, gates=(Gate(second), Gate(third, inverted=True)))
    put_together(
        net, (8, [every]), (8, [Term(third)]),
        channels=5, kernel=2, input_pool=Pool.square("average", 2, 2),
    )  # fmt: skip
    net.linear(4)
    return workload(net.layers)


def gates_on_the_way():
    """Gates through windows and pools, of one position for all, beside and added to others."""
    net = builder((2, 6, 6))
    first = net.conv(6, kernel=3, padding=1)
    second = net.conv(6, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    small = Pool.square("max", 2, 2)
    one = window((6, 3, 3), rows=Line(1, 2, repeat=3), columns=Line(2, 3, repeat=3))
    some = window((6, 3, 3), channels=(1, 4))
    term = Term(first, (small, some), gates=(Gate(second, (one, some)),))
    other = Term(second, (some,), gates=(Gate(first, (small, some), inverted=True),))
    alone = Term(second, (window((6, 3, 3), channels=(0, 2)),))
    third = put_together(net, (3, [term, other]), (2, [alone]), channels=6, kernel=3, padding=1)
    net.conv(4, kernel=1)
    put_together(
        net,
        (6, [Term(third, gates=(Gate(second), Gate(third)))]),
        channels=5,
        linear=True,
        input_pool=Pool.square("sum", 3, 3),
    )
    return workload(net.layers)


def stepped_over():
    """One element of a layer, put into a column that the pool of its reader steps over."""
    net = builder((3, 6, 6))
    first = net.conv(8, kernel=3, padding=1)
    second = net.conv(8, kernel=1)
    some = window(
        (8, 6, 6), rows=Line(0, 1, before=0, after=5), columns=Line(0, 1, before=1, after=4)
    )
    every_other = Pool.square("average", 1, 2)
    put_together(
        net, (8, [Term(first)]), (8, [Term(second, (some,))]), channels=4, input_pool=every_other
    )
    return workload(net.layers)


NETS = {
    "stepped over": stepped_over,
    "concatenation": concatenation,
    "batch norm": lambda: concatenation(NORM),
    "dense block": dense_block,
    "branches": branches,
    "pooled branches": pooled_branches,
    "pyramid": pyramid,
    "shifted": shifted,
    "decoder": decoder,
    "input": skip_from_the_input,
    "direct input": lambda: skip_from_the_input("direct"),
    "gates": gates,
    "gates and batch norm": lambda: gates(NORM),
    "gates on the way": gates_on_the_way,
}


@pytest.mark.parametrize("chip", CHIPS, ids=range(len(CHIPS)))
@pytest.mark.parametrize("name", NETS)
def test_all_laws_hold(name, chip):
    """On chips of different shapes and memories."""
    job = NETS[name]()
    recorded = recording(job, live=0.8)
    plan, program = built(job, recorded, IDEAL_DRAM, *chip)
    broken, _ = broken_laws(plan, program, IDEAL_DRAM, *chip)
    assert broken == []


def test_a_pool_on_the_way_is_added_up_once():
    """8 x 3 x 3 windows of four, of every sample and step: three additions each, in FP and WG."""
    net = builder((3, 6, 6))
    first = net.conv(8, kernel=3, padding=1)
    small = Term(first, (Pool.square("average", 2, 2),))
    put_together(net, (8, [small]), channels=4)
    job = workload(net.layers)
    _, program = built(job, recording(job), "cores=1", IDEAL_DRAM)
    for phase, action in ((Phase.FP, "fp.input_pool"), (Phase.WG, "wg.input_pool")):
        adds = [tile.work.energy.get(action, 0) for tile in tiles_of(program, phase, 1)]
        assert sum(adds) == 3 * 8 * 3 * 3 * 2 * 2


def test_dS_of_parts_goes_through_dram_where_it_has_no_room():
    """The last of the chips is one where it does: its laws hold of the writes and reads of dX."""
    job = concatenation()
    plan, _ = built(job, recording(job), IDEAL_DRAM, *CHIPS[-1])
    assert [layer_plan.stored.dS for layer_plan in plan.layers[:3]] == ["dram"] * 3
    assert plan.layers[3].spilled_inputs == [(0, 14)]


@pytest.mark.parametrize(
    "chip", ["core.engines.bp.mode=dense", "core.engines.bp.skip_outputs=false"]
)
def test_gates_are_read_where_no_output_is_skipped(chip):
    """dX is sent where the other factors let it pass, also where all of it is computed."""
    job = gates_on_the_way()
    plan, program = built(job, recording(job, live=0.8), IDEAL_DRAM, "cores=4", chip)
    broken, _ = broken_laws(plan, program, IDEAL_DRAM, "cores=4", chip)
    assert broken == []
