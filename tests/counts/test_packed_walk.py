"""Walks past stored weights, against loops over the definition and the tables of real encoders."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import naive_packed
from tests.counts.naive_array import Problem
from tests.counts.test_array_pass import (
    all_of,
    array_of_case,
    as_tested,
    cases,
    channel_groups,
    gradient_reader,
    grid_phases,
    input_reader,
    lands,
    positions_of,
    whole,
)
from tests.program.jobs import linear
from tlm.counts.array_pass import backward_work, product_work
from tlm.counts.operands import OperandMasks
from tlm.counts.packed_weights import pack
from tlm.counts.passes import passes
from tlm.errors import MappingError

COUNTS = ("cycles", "slots", "scanned", "executed", "macs", "useful", "dense", "row_words",
          "other_words", "sum_reads", "sum_writes", "fresh", "weightless")  # fmt: skip


class Shape:
    """Tiles of ``chunk`` inputs and ``tile`` outputs."""

    weight_bits = naive_packed.WIDTH

    def __init__(self, chunk: int, tile: int) -> None:
        self.chunk, self.tile = chunk, tile


@st.composite
def packed_cases(draw):
    """A case of held weights, in a mode that steps together, with weights in an organisation."""
    layer, masks, live, chip, policies, grid = draw(cases())
    chip |= {"dataflow": "weight", "mode": draw(st.sampled_from(["dense", "vector"]))}
    organisation = draw(st.sampled_from(["pb-bmp", "pb-csr", "1:2", "2:2"]))
    if ":" in organisation:
        chip["rows"] = chip["cols"] = 2
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = random.random(layer.weight_shape) < draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    if organisation == "1:2":
        weights[:, 1::2] &= ~weights[:, : weights.shape[1] // 2 * 2 : 2]
    return layer, masks, live, chip, policies, grid, organisation, weights


def counted(array, work, blocks, channels, size):
    """The counts of all panels of a walk, added up."""
    total = Counter()
    for walk in passes(array, list(work), blocks, (0, channels), array.cols, size):
        for name in COUNTS:
            total[name] += int(getattr(walk.counts, name).sum())
    return {name: total[name] for name in COUNTS}


def expected(problems, case):
    """The same of plain loops."""
    total = Counter()
    _, _, _, chip, _, _, organisation, weights = case
    for problem in problems:
        flat = weights.reshape(*weights.shape[:2], -1)
        total.update(naive_packed.walk(problem, chip, organisation, flat))
    return {name: total[name] for name in COUNTS}


def packed(case, engine):
    """The weights of a case, in tiles as its engine holds them."""
    layer, _, _, chip, _, _, organisation, weights = case
    sides = (chip["cols"], chip["rows"]) if engine == "bp" else (chip["rows"], chip["cols"])
    return pack(layer, weights, organisation, Shape(*sides), 1)


def packed_array(case, engine):
    """The array of an engine of a case."""
    _, _, _, chip, policies, grid, _, _ = case
    return replace(array_of_case(engine, chip, policies, grid), packed=True)


def problem(engine, case, positions, groups, readers):
    """The loops of one group; ``readers`` are rows and columns as seen and as recorded."""
    layer = case[0]
    taps = list(range(layer.kernel[0] * layer.kernel[1]))
    return Problem(engine, *positions, taps, *groups, *readers)


@settings(max_examples=120)
@given(case=packed_cases(), size=st.integers(1, 3))
def test_forward_past_stored_weights(case, size):
    """FP: an empty tile costs nothing, others are loaded, and streamed where a spike counts."""
    layer, (inputs, _, _), _, _, policies, _, _, _ = case
    _, e, f = layer.product_shape
    live, array = np.ones(inputs.shape[:2], bool), packed_array(case, "fp")
    c, k = layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(inputs, None, live, packed(case, "fp"))
    work = product_work(layer, array, masks, whole(live, e), (0, c), (0, k))
    every = lambda p, k: True  # noqa: E731
    problems = [
        problem("fp", case, positions_of(live, e, f), groups,
                ((input_reader(layer, as_tested(inputs, policies[0])), every),
                 (input_reader(layer, inputs), every)))
        for groups in channel_groups(layer)
    ]  # fmt: skip
    assert counted(array, work, whole(live, e), k, size) == expected(problems, case)


@settings(max_examples=120)
@given(case=packed_cases(), size=st.integers(1, 3))
def test_backward_past_stored_weights(case, size):
    """BP: weights are looked up by output, on either grid."""
    layer, (_, dY, need), live, _, policies, grid, _, _ = case
    _, h, w = layer.in_shape
    array, c, k = packed_array(case, "bp"), layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(dY, need, live, packed(case, "bp"))
    work = backward_work(layer, array, masks, whole(live, h), (0, k))
    positions, dead = positions_of(live, h, w)
    seen_need = as_tested(need, policies[2])
    problems = []
    for inputs, outputs in channel_groups(layer):
        for phase in grid_phases(layer, grid, h, w):
            one = problem(
                "bp", case,
                ([p for p in positions if phase(p)],
                 dead // (h * w) * len(list(all_of(phase, h, w)))),
                (outputs, inputs),
                ((gradient_reader(layer, as_tested(dY, policies[1])),
                  lambda p, c: bool(seen_need[p[0], p[1], c, p[2], p[3]])),
                 (gradient_reader(layer, dY),
                  lambda p, c: bool(need[p[0], p[1], c, p[2], p[3]]))),
            )  # fmt: skip
            one.taps = [tap for tap in one.taps if grid == "inserted"
                        or any(lands(layer, p, tap) for p in all_of(phase, h, w))]  # fmt: skip
            problems += [one] * bool(one.taps)
    assert counted(array, work, whole(live, h), c, size) == expected(problems, case)


@settings(max_examples=120)
@given(case=packed_cases())
def test_gradients_of_stored_weights(case):
    """WG: only dW of stored weights are drained; the inserted grid has the stride's zeros."""
    layer, (inputs, dY, _), live, _, policies, grid, _, _ = case
    _, e, f = layer.product_shape
    array, c, k = packed_array(case, "wg"), layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(inputs, dY, live, packed(case, "wg"))
    work = product_work(layer, array, masks, whole(live, e), (0, c), (0, k))
    fine = layer.stride if grid == "inserted" else (1, 1)

    def on_grid(read):
        def read_fine(p, *channel_tap):
            t, b, y, x = p
            if y % fine[0] or x % fine[1]:
                return False
            return read((t, b, y // fine[0], x // fine[1]), *channel_tap)

        return read_fine

    def gradient(values):
        return on_grid(lambda p, k: bool(values[p[0], p[1], k, p[2], p[3]]))

    problems = [
        problem("wg", case, positions_of(live, e * fine[0], f * fine[1]), groups,
                ((on_grid(input_reader(layer, as_tested(inputs, policies[0]))),
                  gradient(as_tested(dY, policies[1]))),
                 (on_grid(input_reader(layer, inputs)), gradient(dY))))
        for groups in channel_groups(layer)
    ]  # fmt: skip
    assert counted(array, work, whole(live, e), k, 10**6) == expected(problems, case)


def test_a_tile_by_hand():
    """4 x 4, weights on the diagonal but one: loads and words of each organisation, with a pencil.

    Three weights of 16 bits. Bitmap: 16 bits and 4 pointers to 0..3, 24 bits, 2 words; 3 rows hold
    something. Compressed rows: 3 output numbers of 2 bits and 4 pointers, 14 bits, 1 word; reverse
    3 entries of 2 + 2 bits and 4 pointers, 20 bits, 2 words. 1:4: 4 places, one of which a zero
    fills, each with 2 bits, 8 bits, 1 word; one vector.
    """
    weights = np.diag([True, True, True, False]).reshape(4, 4, 1, 1)
    layer, shape = linear(4, 4), Shape(4, 4)
    bitmap = pack(layer, weights, "pb-bmp", shape, 1)
    assert (bitmap.words("fp", (0, 4)), bitmap.words("bp", (0, 4))) == (5, 5)
    assert (bitmap.load_cycles("fp", (0, 4)), bitmap.load_cycles("bp", (0, 4))) == (1 + 3, 1 + 3)
    rows = pack(layer, weights, "pb-csr", shape, 2)
    assert (rows.words("fp", (0, 4)), rows.words("bp", (0, 4))) == (4, 5)
    assert rows.all_words((0, 4)) == 3 + 1 + 2
    assert (rows.load_cycles("fp", (0, 4)), rows.load_cycles("bp", (0, 4))) == (1 + 2, 1 + 2)
    structured = pack(layer, weights, "1:4", shape, 1)
    assert structured.count((0, 4)) == 4 and structured.mask[3, 0, 0]
    assert structured.words("fp", (0, 4)) == 4 + 1
    assert structured.load_cycles("fp", (0, 4)) == 1 + 1
    assert structured.load_cycles("bp", (0, 4)) == 1 + 4


@pytest.mark.parametrize(
    ("organisation", "weights", "message"),
    [
        ("1:2", np.ones((2, 8, 1, 1), bool), "a group has 2 weights; run with --weights 1:2"),
        ("1:3", np.zeros((2, 8, 1, 1), bool), "take an M that divides 4"),
    ],
)
def test_weights_that_n_of_m_has_no_places_for(organisation, weights, message):
    """Said with the layer and what would help."""
    with pytest.raises(MappingError, match=r"core\.weights\.organisation: layer linear") as error:
        pack(linear(8, 2), weights, organisation, Shape(4, 4), 1)
    assert message in str(error.value)
