"""Results and operations due: result elements, useful and all multiply-accumulates.

Counted from shapes and masks, without tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from tlm.config.core import BackwardGrid
from tlm.laws.due.amounts import LayerPhase, SampleStep
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.masks import input_needs, layer_inputs, product_gradients
from tlm.laws.due.rows import tap_places
from tlm.space.array_types import Bools, Cells, Ints
from tlm.space.phase import BATCH, Phase
from tlm.workload.model import Layer


def results_due(job: Facts) -> dict[LayerPhase, Mapping[SampleStep, int]]:
    """Result elements of every phase of every layer, by (sample, step); the loss included."""
    pairs = [(b, t) for t, b in zip(*map(np.ndarray.tolist, np.nonzero(job.running)), strict=True)]
    due: dict[LayerPhase, Mapping[SampleStep, int]] = {
        (phase, facts.index): dict.fromkeys(where, elements)
        for facts in job.layers
        for phase, where, elements in _results(facts, pairs)
        if where and phase in job.phases
    }
    for facts in job.layers if Phase.LOSS in job.phases else ():
        if facts.head:
            due[Phase.LOSS, facts.index] = dict.fromkeys(pairs, prod(facts.layer.pooled_shape))
    return due


def _results(
    facts: LayerFacts, pairs: list[SampleStep]
) -> Iterator[tuple[Phase, list[SampleStep], int]]:
    """(phase, its pairs, result elements of each pair)."""
    layer, live = facts.layer, [(b, t) for b, t in pairs if facts.live[t, b]]
    products, depth = prod(layer.product_shape), layer.factor_shape[1]
    yield Phase.FP, pairs, products
    yield Phase.GRAD, pairs, prod(layer.out_shape)
    if facts.recomputed:
        yield Phase.RECOMPUTE, pairs, products
    if layer.weighted or facts.numbers:
        yield Phase.UPDATE, [(BATCH, BATCH)], facts.trained_count
    if not layer.multiplies:
        return
    yield Phase.WG, live, products * depth
    if facts.exact:
        yield Phase.NORM, pairs, products
        yield Phase.NORM_GRAD, pairs, products
    if facts.producers:
        yield Phase.BP, live, layer.out_shape[0] * depth * prod(layer.in_shape[1:])


def useful_due(job: Facts) -> dict[LayerPhase, int]:
    """Multiply-accumulates of non-zero operands whose result is needed."""
    due: dict[LayerPhase, int] = {}
    for facts in job.layers:
        layer, index = facts.layer, facts.index
        if not layer.multiplies:
            due[Phase.FP, index] = 0
            continue
        inputs: Cells = layer_inputs(job.masks, layer)
        if not job.running.all():
            inputs = inputs & job.running[..., None, None, None]
        dY: Cells = product_gradients(job.workload.layers, layer, job.recording, facts.exact)
        needs: Cells | None = None
        if job.learns and facts.producers:
            needs = input_needs(job.masks, layer)
        walked = slice(job.walked_steps(facts))
        pairs: Callable[[Layer, Any, Any], int] = _joined
        if facts.stored is None:  # every channel is joined to every one of its group
            inputs, dY = _by_group(inputs, layer.groups), _by_group(dY, layer.groups)
            needs = None if needs is None else _by_group(needs, layer.groups)
        else:
            pairs = partial(weighted_pairs, facts.stored.mask)
        due[Phase.FP, index] = pairs(layer, None, inputs[walked])
        if not job.learns:
            continue
        due[Phase.WG, index] = pairs(layer, dY, inputs)
        if facts.recomputed:
            due[Phase.RECOMPUTE, index] = due[Phase.FP, index]
        if needs is not None:
            due[Phase.BP, index] = pairs(layer, dY, needs)
    return due


def dense_due(job: Facts) -> dict[LayerPhase, int]:
    """All multiply-accumulates, padding and inserted zeros included."""
    return {
        (phase, facts.index): count
        for facts in job.layers
        for phase, count in _dense(job, facts)
        if phase in job.phases
    }


def _dense(job: Facts, facts: LayerFacts) -> Iterator[tuple[Phase, int]]:
    """All multiply-accumulates of a phase."""
    walked = int(job.running[: job.walked_steps(facts)].sum())
    layer, engines = facts.layer, job.chip.core.engines
    places = prod(layer.factor_shape)
    positions, (sy, sx) = prod(layer.product_shape[1:]), layer.stride
    inserted = sy * sx if engines.wg.grid == "inserted" else 1
    yield Phase.FP, places * positions * walked
    yield Phase.WG, places * positions * inserted * job.pairs
    if facts.recomputed:
        yield Phase.RECOMPUTE, places * positions * walked
    if facts.producers:
        taps = _visited_taps(layer, engines.bp.grid)
        yield Phase.BP, prod(layer.factor_shape[:2]) * taps * job.pairs


def _visited_taps(layer: Layer, grid: BackwardGrid) -> int:
    """(Kernel tap, input position) pairs that BP visits: all, or those on an output's stride."""
    pairs = 1
    for size, taps, stride, pad in zip(
        layer.in_shape[1:], tap_places(layer), layer.stride, layer.padding, strict=True
    ):
        step = stride if grid == "compacted" else 1
        pairs *= sum((at + pad - tap) % step == 0 for at in range(size) for tap in taps)
    return pairs


def reduced_bytes(job: Facts) -> dict[LayerPhase, int]:
    """Bytes of the reduction: sums of dW and of channels go to their owner from all replicas.

    Weights that stay in the cores come back from there in the update.
    """
    bits = job.chip.precision.partial_sum
    due: dict[LayerPhase, int] = {}
    for facts in job.layers if job.learns else ():
        sums = (facts.weight_count + facts.channel_sums) * (facts.replicas - 1)
        sums += facts.layer_numbers * (len(facts.slices) - 1)
        due[Phase.REDUCE, facts.index] = sums * bits // 8
        weights = facts.weight_count + sum(facts.rewired(job.chip.core.weights.rewired).values())
        weights *= (facts.replicas - 1) * facts.W_stays
        due[Phase.UPDATE, facts.index] = weights * job.chip.precision.weight // 8
    return due


def useful_pairs(layer: Layer, outputs: Bools, inputs: Bools) -> int:
    """Pairs of a set output and a set input joined by a kernel tap, by integral images.

    ``outputs`` [T, B, K, E, F], ``inputs`` [T, B, C, H, W]; only channels of one group are joined.
    """
    return _joined(layer, _by_group(outputs, layer.groups), _by_group(inputs, layer.groups))


def _joined(layer: Layer, outputs: Ints | None, inputs: Ints) -> int:
    """The same of numbers of set channels, [T, B, group, Y, X]; all are set without ``outputs``.

    An independent popcount: each output sees the sum of the inputs under its kernel window, which
    four corners of a cumulative sum give.
    """
    (sy, sx), (py, px), (dy, dx) = layer.stride, layer.padding, layer.dilation
    e, f = layer.product_shape[1:]
    r, s = layer.kernel[0] * dy, layer.kernel[1] * dx
    summed = np.pad(inputs, ((0, 0),) * 3 + ((py + dy, py), (px + dx, px)))
    _accumulate(summed, dy, 3)
    last_row, last_column = (e - 1) * sy + 1, (f - 1) * sx + 1
    under = summed[:, :, :, r : r + last_row : sy] - summed[:, :, :, :last_row:sy]
    _accumulate(under, dx, 4)
    windows = under[..., s : s + last_column : sx] - under[..., :last_column:sx]
    if outputs is None:
        return int(windows.sum()) * (layer.product_channels // layer.groups)
    return int(np.vdot(windows, outputs))


def _accumulate(values: Ints, apart: int, axis: int) -> None:
    """Cumulative sums, in place, over elements that are ``apart`` along an axis of ``values``."""
    for first in range(apart):
        some = values[(slice(None),) * axis + (slice(first, None, apart),)]
        np.cumsum(some, axis=axis, out=some)


def weighted_pairs(weights: Bools, layer: Layer, outputs: Bools | None, inputs: Bools) -> int:
    """As :func:`useful_pairs`, of pairs joined by one of ``weights`` [K, C / groups, R, S].

    Every tap is taken by itself: how often each output meets each input there, where a weight is.
    """
    (sy, sx), (py, px), (e, f) = layer.stride, layer.padding, layer.product_shape[1:]
    padded = np.pad(inputs, ((0, 0),) * 3 + ((py, py), (px, px)))
    depth, width = weights.shape[1], layer.product_channels // layer.groups
    if outputs is None:
        outputs = np.ones((*inputs.shape[:2], *layer.product_shape), np.bool_)
    total = 0
    rows, columns = tap_places(layer)
    for r, s in np.ndindex(layer.kernel):
        y, x = rows[r], columns[s]
        under = padded[..., y : y + (e - 1) * sy + 1 : sy, x : x + (f - 1) * sx + 1 : sx]
        for group in range(layer.groups):
            some = slice(group * width, (group + 1) * width)
            met = np.tensordot(
                outputs[:, :, some].astype(np.float64),
                under[:, :, group * depth : (group + 1) * depth].astype(np.float64),
                axes=((0, 1, 3, 4), (0, 1, 3, 4)),
            )
            total += int(met[weights[some, :, r, s]].sum())
    return total


def _by_group(values: Bools, groups: int) -> Ints:
    """How many channels of each group are set, [T, B, group, Y, X]."""
    t, b, _, y, x = values.shape
    split = values.view(np.uint8).reshape(t, b, groups, -1, y, x)
    return np.asarray(split.sum(axis=3, dtype=np.min_scalar_type(split.shape[3])), np.int64)
