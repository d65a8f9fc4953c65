"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work and from the blocks of the cut; bytes from shapes and from what stays
in the cores. What stays follows from all layers; for a layer by itself half of a memory is taken
as its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, Generic, TypeVar, cast

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.placement.laid_layer import LaidLayer
from tlm.placement.layer_bits import LayerBits, layer_bits
from tlm.placement.mesh_traffic import busiest_exchange
from tlm.placement.profile import Profile
from tlm.placement.slice_cycles import SliceCycles, slice_cycles
from tlm.placement.slices import Slices
from tlm.placement.target import Target
from tlm.space.array_types import Floats, Ints
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores
from tlm.space.rounding import ceil_each

GridNumber = TypeVar("GridNumber", float, Floats)
GridCount = TypeVar("GridCount", int, Ints)


@dataclass(frozen=True, slots=True)
class LayerLoad(Generic[GridNumber, GridCount]):
    """Times in ps, of its phases [slice] and of what goes over the mesh; DRAM bytes.

    All others are a number of one grid, or arrays [grid] of several.
    ``again`` is the time FP takes to make U again for BP, ``fill_ps`` that of the inputs of a first
    block from DRAM, which nothing hides, ``sums`` that of dW left there, read for other replicas.
    ``channels`` is the part of the DRAM channels that reads of inputs keep busy. ``fp_samples`` and
    ``grad_samples`` are how many samples are finished at a time. ``share_ps`` is the time of a
    replica's share of dW through a port; a window of transactions holds ``reach`` of them.
    ``reduce_ps`` is the time of all dW through the busiest link, ``copy_ps`` that of a share of new
    weights, if others have copies of them.
    """

    fp: Floats
    norm: Floats
    again: Floats
    grad: Floats
    norm_grad: Floats
    bp: Floats
    wg: Floats
    sums: Floats
    update: Floats
    fill_ps: GridNumber
    fp_samples: GridCount
    grad_samples: GridCount
    channels: GridNumber
    fp_bytes: GridCount
    bp_bytes: GridCount
    wg_bytes: GridCount
    sums_bytes: GridCount
    update_bytes: GridCount
    share_ps: GridNumber
    reach: GridNumber
    reduce_ps: GridNumber
    copy_ps: GridNumber


@dataclass(frozen=True, slots=True)
class Links:
    """What a layer has to do with others: every dS of its output comes in ``partials`` parts.

    Through DRAM if ``arrives``; the dS that it returns goes there if ``returns``, and the sum of
    what arrives if ``leaves_sum``.
    """

    partials: int
    arrives: bool
    returns: bool
    leaves_sum: bool


ALONE = Links(1, False, False, False)


def layer_load(
    profile: Profile,
    grid: Grid,
    target: Target,
    group: int,
    stores: LayerStores,
    links: Links = ALONE,
) -> LayerLoad[float, int]:
    """The load of a layer on a grid; its weights are fetched again for every ``group`` of samples.

    They are if layers take turns on its cores; if not, ``group`` is the whole batch.
    """
    load = layer_loads(profile, Slices([grid]), target, group, [stores], links)
    numbers: dict[str, Any] = {
        field.name: getattr(load, field.name).item()
        for field in fields(LayerLoad)
        if field.type != "Floats"
    }
    return cast(LayerLoad[float, int], replace(load, **numbers))


def layer_loads(
    profile: Profile,
    slices: Slices,
    target: Target,
    group: int,
    stores: Sequence[LayerStores],
    links: Links = ALONE,
) -> LayerLoad[Floats, Ints]:
    """The loads of a layer on several grids; ``stores`` say what stays on each of them."""
    laid = LaidLayer(profile, slices, stores, target)
    bits = layer_bits(laid, group)
    arriving, returned = _gradient_bits(profile, slices, target.chip, links)
    bits = replace(
        bits,
        grad=bits.grad + slices.each(arriving / slices.parts),
        bp=bits.bp + slices.each(returned / slices.parts),
    )
    load = _loads(laid, bits, slice_cycles(laid), links.partials)
    return load if profile.learns else _forward_alone(load)


def _forward_alone(load: LayerLoad[Floats, Ints]) -> LayerLoad[Floats, Ints]:
    """The load of a layer that does not learn."""
    by_slice, by_grid = np.zeros_like(load.fp), np.zeros_like(load.fill_ps)
    bits = np.zeros_like(load.fp_bytes)
    return replace(
        load,
        again=by_slice, grad=by_slice, norm_grad=by_slice, bp=by_slice, wg=by_slice, sums=by_slice,
        update=by_slice, bp_bytes=bits, wg_bytes=bits, sums_bytes=bits, update_bytes=bits,
        share_ps=by_grid, reduce_ps=by_grid, copy_ps=by_grid,
    )  # fmt: skip


def _gradient_bits(
    profile: Profile, slices: Slices, chip: ChipConfig, links: Links
) -> tuple[int, Ints]:
    """Bits of dS from DRAM and of their sum, and [grid] of dX that goes there, by K-slices."""
    layer, precision = profile.layer, chip.precision
    width = precision.partial_sum if links.partials > 1 else precision.gradient
    outputs = prod(layer.pooled_shape) * profile.batch * profile.steps
    arriving = links.arrives * links.partials * width * outputs
    arriving += links.leaves_sum * precision.gradient * outputs
    widths = np.where(slices.k > 1, precision.partial_sum, precision.gradient)
    inputs = prod(layer.in_shape) * int(profile.live_steps.sum())
    return arriving, links.returns * slices.k * widths * inputs


def _loads(
    laid: LaidLayer, bits: LayerBits, cycles: SliceCycles, partials: int
) -> LayerLoad[Floats, Ints]:
    profile, slices, target = laid.profile, laid.slices, laid.target
    chip, lanes, replicas = target.chip, target.arrays.lanes, slices.replicas
    periods = np.array([chip.core.period_of(core) for core in range(chip.cores)], np.float64)
    periods = periods[slices.cores]
    port = chip.noc.period_ps / chip.noc.link
    others = slices.each(replicas)
    weights = slices.by_channels(profile.weights.count)
    shares = ceil_each(weights, others)
    update = np.ceil(shares / lanes) + np.ceil(shares * (others - 1) / lanes)
    share = slices.largest(shares).astype(np.float64)
    share_ps = share * port * target.framing * (replicas > 1)
    window = chip.core.outstanding * chip.noc.payload * 8
    again = slices.each(slices.any(bits.again > 0)) * cycles.fp * periods
    totals = slices.sums(
        bits.fp + bits.norm, bits.again + bits.grad + bits.norm_grad + bits.bp, bits.wg, bits.sums,
        bits.norm, bits.grad, bits.first,
    )  # fmt: skip
    fp_bits, bp_bits, wg_bits, sums_bits, norm_bits, grad_bits, first_bits = totals

    def walk(count: Floats, moved: Floats, total: Floats) -> Floats:
        """A walk of all slices at a time, behind a barrier: DRAM serves nothing else meanwhile."""
        dram_ps = slices.each(target.dram_times(total / 8) * profile.waits_for_batch)
        return np.asarray(np.maximum(np.maximum(count * periods, moved * port), dram_ps))

    grad = cycles.grad + _sums_of_parts(profile, slices, partials) / lanes
    again_grad = grad * slices.each([kept.dI == "recompute" for kept in laid.stores])
    return LayerLoad(
        fp=np.maximum(cycles.fp * periods, bits.fp * port),
        norm=walk(cycles.norm, bits.norm, norm_bits),
        again=np.maximum(again, bits.again * port),
        grad=walk(grad, bits.grad, grad_bits),
        norm_grad=np.maximum((cycles.norm_grad + again_grad) * periods, bits.norm_grad * port),
        bp=np.maximum(cycles.bp * periods, bits.bp * port),
        # The engine waits until the dW of a panel has left for DRAM.
        wg=np.maximum(cycles.wg * periods, (bits.wg - bits.sums) * port) + bits.sums * port,
        sums=bits.sums * port * (others - 1) / others,
        update=np.maximum(
            (update + target.arrays.depth) * periods,
            (slices.each(bits.update / slices.parts) + bits.sums / others) * port,
        ),
        fill_ps=np.maximum(slices.largest(bits.first) * port, target.dram_times(first_bits / 8)),
        channels=np.array([target.channels_reached(count) for count in replicas.tolist()]),
        fp_samples=slices.largest(cycles.fp_samples),
        grad_samples=slices.largest(cycles.grad_samples),
        fp_bytes=_bytes(fp_bits),
        bp_bytes=_bytes(bp_bits),
        wg_bytes=_bytes(wg_bits),
        sums_bytes=_bytes(sums_bits * (replicas - 1) / replicas),
        update_bytes=_bytes(bits.update + sums_bits / replicas),
        share_ps=share_ps * chip.precision.partial_sum,
        reach=np.maximum(1.0, window / np.maximum(1, share * chip.precision.partial_sum)),
        reduce_ps=_exchanges(slices, weights, target) * port * target.framing
        * chip.precision.partial_sum,
        copy_ps=share_ps * chip.precision.weight * [kept.W == "memory" for kept in laid.stores],
    )  # fmt: skip


def _sums_of_parts(profile: Profile, slices: Slices, partials: int) -> Floats:
    """Additions of every slice to dS of its outputs, which come in ``partials`` parts.

    The dI of layers that add its output or its current is a part more each.
    """
    layer = profile.layer
    arrived = prod(layer.pooled_shape[1:]) / prod(layer.out_shape[1:])
    sizes, parts = slices.neurons * layer.out_shape[2], partials + profile.output_adders
    adds = sizes * arrived * profile.steps * (parts - 1)
    return np.asarray(adds + sizes * profile.steps * profile.current_adders)


def _exchanges(slices: Slices, weights: Ints, target: Target) -> Floats:
    """Weights [grid] that cross the busiest link as all replicas exchange dW."""
    most, mesh = slices.largest(weights).tolist(), target.chip.mesh
    return np.array(
        [
            busiest_exchange(grid.split.k, grid.cores, count, mesh)
            for grid, count in zip(slices.grids, most, strict=True)
        ]
    )


def _bytes(bits: Floats) -> Ints:
    return np.asarray(bits.astype(np.int64) // 8)
