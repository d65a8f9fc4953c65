"""One 4 x 4 array, counted by hand: every engine, dataflow and mode.

Four inputs, four outputs, a 1 x 1 kernel, four positions x; scans of two slots, queues of count.

    input s      x 0 1 2 3     dY       x 0 1 2 3     needed dX  x 0 1 2 3
        c0         1 . 1 .         k0     . 1 . .         c0       . 1 . .
        c1         . . 1 .         k1     . 1 . .         c1       . . . .
        c2         . . 1 .         k2     . . 1 .         c2       1 1 . .
        c3         . . . .         k3     . . . .         c3       . . . .

Whatever is held is changed in four cycles, and only once here. Four slots stream past it: dense,
that is eight cycles. Two scans take two cycles, so ``vector`` takes max(slots left, 2).
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.program.jobs import conv
from tlm.counts.array_pass import backward_work, product_work
from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import OperandMasks
from tlm.counts.passes import passes
from tlm.space.region import Block

SPIKES = ["1010", "0010", "0010", "0000"]
GRADIENTS = ["0100", "0100", "0010", "0000"]
NEED = ["0100", "0000", "1100", "0000"]

# engine, dataflow: (slots left, cycles) in mode vector; (slots of lanes, cycles, sums merged) in
# mode element
BY_HAND = {
    # x 0 and x 2 hold spikes. Lane c0 works in both scans (1-2, 2-3), c1 and c2 in the second;
    # four lane sums of two outputs are merged, over four positions.
    ("fp", "weight"): ((2, 6), (4, 4 + 3 + 4, 2 * 4)),
    # c0, c1 and c2 hold spikes. Lane x2 works 1-3 and 3-4, lane x0 1-2; the sums are their own.
    ("fp", "output"): ((3, 7), (4, 4 + 4, 0)),
    # Every output meets the spikes. Lanes x0 and x2 work 1-3 and 3-5.
    ("fp", "input"): ((4, 8), (8, 4 + 5, 0)),
    # At x 1 there is dY and need. Lanes k0 and k1 work 1-2; the second scan enters at 2.
    ("bp", "weight"): ((1, 6), (2, 4 + 2 + 4, 1 * 4)),
    # k0 and k1 meet a need at x 1. Lane x1 works 1-3; the second scan enters at 3.
    ("bp", "output"): ((2, 6), (2, 4 + 3, 0)),
    # c0 and c2 are needed where there is dY, at x 1. Lane x1 works 1-2 and 2-3.
    ("bp", "input"): ((2, 6), (2, 4 + 3, 0)),
    # At x 2 there are spikes and dY. Lanes c0, c1 and c2 work 2-3; each owns its row of dW.
    ("wg", "weight"): ((1, 6), (3, 4 + 3, 0)),
    # c0, c1 and c2 meet the dY of x 2. Lane x2 works 1-3 and 3-4; one lane's sums of four slots.
    ("wg", "output"): ((3, 7), (3, 4 + 4 + 4, 0)),
    # k2 meets the spikes of x 2. Lane x2 works 2-3.
    ("wg", "input"): ((1, 6), (1, 4 + 3 + 4, 0)),
}


def mask(rows):
    """[T, B, channel, 1, x] from rows of digits."""
    return np.array([[int(digit) for digit in row] for row in rows], bool)[None, None, :, None]


def count_of(engine, dataflow, mode):
    """What the one entry of the walk costs."""
    array = EngineArray(
        engine, dataflow, mode, rows=4, cols=4, slot_cycles=1, scan=2, queue=1, grid="compacted"
    )
    layer, box = conv((4, 1, 4), 4, 1), [Block((0, 1), (0, 1), (0, 1))]
    live, spikes, dY, channels = np.ones((1, 1), bool), mask(SPIKES), mask(GRADIENTS), (0, 4)
    if engine == "bp":
        work = backward_work(layer, array, OperandMasks(dY, mask(NEED), live), box, channels)
    else:
        masks = OperandMasks(spikes, dY if engine == "wg" else None, live)
        work = product_work(layer, array, masks, box, channels, channels)
    (walk,) = passes(array, list(work), box, channels, 4, 9)
    assert walk.counts.cycles.shape == (1, 1)
    return walk.counts


@pytest.mark.parametrize(("engine", "dataflow"), BY_HAND)
def test_dense_executes_every_slot(engine, dataflow):
    """Four slots of sixteen multiply-accumulates."""
    count = count_of(engine, dataflow, "dense")
    assert (count.slots, count.executed, count.cycles, count.macs) == (4, 4, 8, 64)


@pytest.mark.parametrize(("engine", "dataflow"), BY_HAND)
def test_vector_skips_slots_that_change_nothing(engine, dataflow):
    """As counted above; a slot that is left still costs its sixteen."""
    (executed, cycles), _ = BY_HAND[engine, dataflow]
    count = count_of(engine, dataflow, "vector")
    assert (count.slots, count.executed, count.cycles) == (4, executed, cycles)
    assert count.macs == 16 * executed


@pytest.mark.parametrize(("engine", "dataflow"), BY_HAND)
def test_element_skips_for_every_lane(engine, dataflow):
    """As counted above; a lane's slot costs four multiply-accumulates."""
    _, (lane_slots, cycles, merged) = BY_HAND[engine, dataflow]
    count = count_of(engine, dataflow, "element")
    assert (count.lane_slots, count.cycles, count.merged) == (lane_slots, cycles, merged)
    assert count.macs == 4 * lane_slots


@pytest.mark.parametrize(("engine", "useful"), [("fp", 16), ("bp", 4), ("wg", 3)])
def test_useful_work_does_not_depend_on_the_walk(engine, useful):
    """FP: four spikes for four outputs; BP: two dY at x 1 for two needed dX; WG: three pairs."""
    for dataflow in ("weight", "output", "input"):
        for mode in ("dense", "vector", "element"):
            assert count_of(engine, dataflow, mode).useful == useful
