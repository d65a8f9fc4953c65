"""Dataflows, modes, policies and grids of all three engines against loops over the definition."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import naive_array
from tests.program.jobs import conv, linear
from tlm.counts.array_pass import backward_work, product_work
from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import OperandMasks
from tlm.counts.passes import passes
from tlm.space.region import Block

COUNTS = ("cycles", "scanned", "executed", "lane_slots", "macs", "useful", "dense", "row_words",
          "other_words", "sum_reads", "sum_writes", "merged")  # fmt: skip


@st.composite
def layers(draw):
    """A small convolution, grouped or not, or a linear layer."""
    if draw(st.integers(0, 4)) == 0:
        return linear(draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    kernel = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    padding = draw(st.integers(0, kernel - 1))
    side = st.integers(max(1, kernel - 2 * padding), 4)
    channels = st.integers(1, 6 // groups)
    shape = (groups * draw(channels), draw(side), draw(side))
    layer = conv(shape, groups * draw(channels), kernel, draw(st.integers(1, 3)), padding)
    return replace(layer, groups=groups)


@st.composite
def cases(draw):
    """A layer, masks [T, B, ...], an array, a box, a span of output channels and the policies."""
    layer = draw(layers())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = st.sampled_from([0.0, 0.1, 0.4, 1.0])
    pairs = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    inputs, dY, need = (
        random.random((*pairs, *shape)) < draw(share)
        for shape in (layer.in_shape, layer.product_shape, layer.in_shape)
    )
    live = random.random(pairs) < draw(st.sampled_from([0.5, 1.0]))
    chip = {
        "dataflow": draw(st.sampled_from(["weight", "output", "input"])),
        "mode": draw(st.sampled_from(["dense", "vector", "element"])),
        "rows": draw(st.integers(1, 4)), "cols": draw(st.integers(1, 4)),
        "slot_cycles": draw(st.integers(1, 2)), "scan": draw(st.integers(1, 4)),
        "queue": draw(st.integers(1, 3)),
    }  # fmt: skip
    policies = draw(st.tuples(*[st.booleans()] * 3))
    grid = draw(st.sampled_from(["inserted", "compacted"]))
    dY &= live[..., None, None, None]
    return layer, (inputs, dY, need), live, chip, policies, grid


def array_of_case(engine, chip, policies, grid):
    """The array of a case's engine; ``policies`` say whether it skips inputs, dY and needed dX."""
    inputs, dY, need = policies
    rows, columns = {"fp": (inputs, True), "bp": (dY, need), "wg": (inputs, dY)}[engine]
    return EngineArray(engine=engine, **chip, skip_row_zeros=rows, skip_column_zeros=columns,
                       grid=grid if engine != "fp" else "compacted")  # fmt: skip


def total(array, work, blocks, channels, panel, size):
    """The counts of all panels and groups of weights added up; each is walked twice, in sweeps."""
    work = list(work)
    half = channels // 2 // panel * panel
    counts = [
        walk.counts
        for span in ((0, half), (half, channels))
        for walk in passes(array, work, blocks, span, panel, size)
    ]
    return {name: int(sum(getattr(count, name).sum() for count in counts)) for name in COUNTS}


def whole(live, height):
    """A box of all positions as one block."""
    return [Block((0, live.shape[1]), (0, height), (0, live.shape[0]))]


def positions_of(live, height, width):
    """(Positions [(t, b, y, x)] of live slices, how many are dead)."""
    every = list(product(range(live.shape[1]), range(live.shape[0]), range(height), range(width)))
    scanned = [(t, b, y, x) for b, t, y, x in every if live[t, b]]
    return scanned, len(every) - len(scanned)


def inside(values, t, b, c, y, x):
    """The element, false outside the image."""
    if 0 <= y < values.shape[3] and 0 <= x < values.shape[4]:
        return bool(values[t, b, c, y, x])
    return False


def input_reader(layer, values):
    """(position, channel, tap) -> the input that a tap looks at from an output position."""

    def read(p, c, tap):
        t, b, y, x = p
        r, s = divmod(tap, layer.kernel[1])
        return inside(values, t, b, c, y * layer.stride[0] - layer.padding[0] + r,
                      x * layer.stride[1] - layer.padding[1] + s)  # fmt: skip

    return read


def gradient_reader(layer, values):
    """(position, channel, tap) -> the dY that a tap brings to an input position."""

    def read(p, k, tap):
        t, b, y, x = p
        r, s = divmod(tap, layer.kernel[1])
        row, rest_y = divmod(y + layer.padding[0] - r, layer.stride[0])
        column, rest_x = divmod(x + layer.padding[1] - s, layer.stride[1])
        return not rest_y and not rest_x and inside(values, t, b, k, row, column)

    return read


def as_tested(values, skipping):
    """What a zero test sees."""
    return values if skipping else np.ones_like(values)


def channel_groups(layer):
    """(input channels, output channels) of every group."""
    c, k = layer.in_shape[0] // layer.groups, layer.out_shape[0] // layer.groups
    return [(list(range(g * c, g * c + c)), list(range(g * k, g * k + k)))
            for g in range(layer.groups)]  # fmt: skip


def check(counts, problems, chip, size, panel):
    """Compare a walk with the naive walk of one or several problems."""
    expected = dict.fromkeys(COUNTS, 0)
    for problem in problems:
        for name, count in naive_array.walk(problem, chip, size, panel).items():
            expected[name] += count
    assert counts == expected


@settings(max_examples=150)
@given(case=cases(), size=st.integers(1, 3), panel=st.integers(1, 3))
def test_forward_equals_plain_loops(case, size, panel):
    """FP: slots, cycles, operations and words of every dataflow, mode and policy."""
    layer, (inputs, _, _), _, chip, policies, grid = case
    _, e, f = layer.product_shape
    live = np.ones(inputs.shape[:2], bool)
    array = array_of_case("fp", chip, policies, grid)
    c, k = layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(inputs, None, live)
    work = product_work(layer, array, masks, whole(live, e), (0, c), (0, k))
    most = panel * chip["cols"] if chip["dataflow"] == "input" else chip["cols"]
    counts = total(array, work, whole(live, e), k, most, size)
    positions, dead = positions_of(live, e, f)
    every_output = lambda p, k: True  # noqa: E731
    problems = [
        naive_array.Problem("fp", positions, dead, list(range(layer.kernel[0] * layer.kernel[1])),
                            row_channels, column_channels,
                            (input_reader(layer, as_tested(inputs, policies[0])), every_output),
                            (input_reader(layer, inputs), every_output))
        for row_channels, column_channels in channel_groups(layer)
    ]  # fmt: skip
    check(counts, problems, chip, size, most)


@settings(max_examples=150)
@given(case=cases(), size=st.integers(1, 3), panel=st.integers(1, 3))
def test_backward_equals_plain_loops(case, size, panel):
    """BP: the same, on the inserted grid or on the compacted one."""
    layer, (_, dY, need), live, chip, policies, grid = case
    _, h, w = layer.in_shape
    array = array_of_case("bp", chip, policies, grid)
    c, k = layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(dY, need, live)
    work = backward_work(layer, array, masks, whole(live, h), (0, k))
    most = panel * chip["cols"] if chip["dataflow"] == "input" else chip["cols"]
    counts = total(array, work, whole(live, h), c, most, size)
    positions, dead = positions_of(live, h, w)
    taps = list(range(layer.kernel[0] * layer.kernel[1]))
    tested_need = as_tested(need, policies[2])
    problems = []
    for column_channels, row_channels in channel_groups(layer):
        for phase in grid_phases(layer, grid, h, w):
            scanned = [p for p in positions if phase(p)]
            here = [tap for tap in taps if grid == "inserted"
                    or any(lands(layer, p, tap) for p in all_of(phase, h, w))]  # fmt: skip
            if not here:
                continue
            unscanned = dead // (h * w) * len(list(all_of(phase, h, w)))
            problems.append(naive_array.Problem(
                "bp", scanned, unscanned, here, row_channels, column_channels,
                (gradient_reader(layer, as_tested(dY, policies[1])),
                 lambda p, c: bool(tested_need[p[0], p[1], c, p[2], p[3]])),
                (gradient_reader(layer, dY),
                 lambda p, c: bool(need[p[0], p[1], c, p[2], p[3]])),
            ))  # fmt: skip
    check(counts, problems, chip, size, most)


def grid_phases(layer, grid, height, width):
    """Tests that say which positions share their remainder by the stride."""
    if grid == "inserted":
        return [lambda p: True]
    (sy, sx) = layer.stride
    return [lambda p, i=i, j=j: (p[2] % sy, p[3] % sx) == (i, j)
            for i in range(min(sy, height)) for j in range(min(sx, width))]  # fmt: skip


def all_of(phase, height, width):
    """The positions of one image that a phase holds."""
    return [(0, 0, y, x) for y in range(height) for x in range(width) if phase((0, 0, y, x))]


def lands(layer, p, tap):
    """Whether a tap at an input position falls on the output grid, if that had no edges."""
    r, s = divmod(tap, layer.kernel[1])
    return not ((p[2] + layer.padding[0] - r) % layer.stride[0]
                or (p[3] + layer.padding[1] - s) % layer.stride[1])  # fmt: skip


@settings(max_examples=150)
@given(case=cases(), panel=st.integers(1, 3))
def test_weight_gradient_equals_plain_loops(case, panel):
    """WG: the same; the inserted grid has the stride's zeros after every output."""
    layer, (inputs, dY, _), live, chip, policies, grid = case
    _, e, f = layer.product_shape
    array = array_of_case("wg", chip, policies, grid)
    c, k = layer.in_shape[0], layer.out_shape[0]
    masks = OperandMasks(inputs, dY, live)
    work = product_work(layer, array, masks, whole(live, e), (0, c), (0, k))
    most = panel * chip["cols"] if chip["dataflow"] == "input" else chip["cols"]
    counts = total(array, work, whole(live, e), k, most, 10**6)
    fine = layer.stride if grid == "inserted" else (1, 1)
    positions, dead = positions_of(live, e * fine[0], f * fine[1])

    def on_grid(read):
        def read_fine(p, channel, *tap):
            t, b, y, x = p
            if y % fine[0] or x % fine[1]:
                return False
            return read((t, b, y // fine[0], x // fine[1]), channel, *tap)

        return read_fine

    def gradient(values):
        return lambda p, k: bool(values[p[0], p[1], k, p[2], p[3]])

    problems = [
        naive_array.Problem(
            "wg", positions, dead, list(range(layer.kernel[0] * layer.kernel[1])),
            row_channels, column_channels,
            (on_grid(input_reader(layer, as_tested(inputs, policies[0]))),
             on_grid(gradient(as_tested(dY, policies[1])))),
            (on_grid(input_reader(layer, inputs)), on_grid(gradient(dY))),
        )
        for row_channels, column_channels in channel_groups(layer)
    ]  # fmt: skip
    check(counts, problems, chip, 10**6, most)
