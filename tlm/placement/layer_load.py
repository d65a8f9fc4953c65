"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work and from the blocks of the cut; bytes from shapes and from what stays
in the cores. What stays follows from all layers; for a layer by itself half of a memory is taken
as its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.placement.layer_bits import LayerBits, layer_bits
from tlm.placement.mesh_traffic import busiest, shared_weights
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import (
    FLAGS,
    dY_through_dram,
    input_bits,
    largest_dY_bits,
)
from tlm.placement.slice_cycles import SliceCycles, slice_cycles
from tlm.placement.target import Target
from tlm.space.array_types import Floats
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores, Store
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """Times in ps, of its phases [slice] and of what goes over the mesh; DRAM bytes.

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
    fill_ps: float
    fp_samples: int
    grad_samples: int
    channels: float
    fp_bytes: int
    bp_bytes: int
    wg_bytes: int
    sums_bytes: int
    update_bytes: int
    share_ps: float
    reach: float
    reduce_ps: float
    copy_ps: float


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
    stores: LayerStores | None = None,
    links: Links = ALONE,
) -> LayerLoad:
    """The load of a layer on a grid; its weights are fetched again for every ``group`` of samples.

    They are if layers take turns on its cores; if not, ``group`` is the whole batch. Without
    ``stores`` those of a layer by itself are taken.
    """
    parts = grid.slices()
    stores = stores or stores_alone(profile, parts, target.chip)
    bits = layer_bits(profile, parts, stores, target, group)
    arriving, returned = _gradient_bits(profile, grid, target.chip, links)
    bits = replace(bits, grad=bits.grad + arriving / len(parts), bp=bits.bp + returned / len(parts))
    cycles = slice_cycles(profile, grid, stores, target.chip, target.arrays)
    load = _load(profile, grid, target, stores, (bits, cycles, links.partials))
    return load if profile.learns else _forward_alone(load)


def _forward_alone(load: LayerLoad) -> LayerLoad:
    """The load of a layer that does not learn."""
    none = np.zeros_like(load.fp)
    return replace(
        load,
        again=none, grad=none, norm_grad=none, bp=none, wg=none, sums=none, update=none,
        bp_bytes=0, wg_bytes=0, sums_bytes=0, update_bytes=0,
        share_ps=0.0, reduce_ps=0.0, copy_ps=0.0,
    )  # fmt: skip


def _gradient_bits(profile: Profile, grid: Grid, chip: ChipConfig, links: Links) -> tuple[int, int]:
    """Bits of dS from DRAM and of their sum, and of dX that goes there: one for each K-slice."""
    layer, precision = profile.layer, chip.precision
    width = precision.partial_sum if links.partials > 1 else precision.gradient
    outputs = prod(layer.pooled_shape) * profile.batch * profile.steps
    arriving = links.arrives * links.partials * width * outputs
    arriving += links.leaves_sum * precision.gradient * outputs
    width = precision.partial_sum if grid.split.k > 1 else precision.gradient
    inputs = prod(layer.in_shape) * int(profile.live_steps.sum())
    return arriving, links.returns * grid.split.k * width * inputs


def _load(
    profile: Profile, grid: Grid, target: Target, stores: LayerStores,
    counted: tuple[LayerBits, SliceCycles, int],
) -> LayerLoad:  # fmt: skip
    bits, cycles, partials = counted
    chip, lanes, parts = target.chip, target.arrays.lanes, grid.slices()
    periods = np.array([chip.core.period_of(core) for core in grid.cores], np.float64)
    port = chip.noc.period_ps / chip.noc.link
    arrived = prod(profile.layer.pooled_shape[1:]) / prod(profile.layer.out_shape[1:])
    sizes = np.array([part.neurons.size for part in parts]) * profile.layer.out_shape[2]
    adds = sizes * arrived * profile.steps * (partials - 1) / lanes
    replicas = grid.split.batch * grid.split.spatial
    weights = [profile.weights.count(part.neurons.channels) for part in parts]
    shares = np.array([ceil_div(count, replicas) for count in weights])
    update = np.ceil(shares / lanes) + np.ceil(shares * (replicas - 1) / lanes)
    exchanged = shared_weights(grid) * max(weights)
    exchange_ps = busiest(exchanged, grid.cores, grid.cores, chip.mesh) * port * target.framing
    share_ps = float(shares.max()) * port * target.framing * (replicas > 1)
    window = chip.core.outstanding * chip.noc.payload * 8
    again = bits.again.any() * cycles.fp * periods

    def walk(count: Floats, moved: Floats) -> Floats:
        """A walk of all slices at a time, behind a barrier: DRAM serves nothing else meanwhile."""
        dram_ps = target.dram_ps(moved.sum() / 8) * profile.waits_for_batch
        return np.maximum(np.maximum(count * periods, moved * port), dram_ps)

    again_grad = (cycles.grad + adds) * (stores.dI == "recompute")

    return LayerLoad(
        fp=np.maximum(cycles.fp * periods, bits.fp * port),
        norm=walk(cycles.norm, bits.norm),
        again=np.maximum(again, bits.again * port),
        grad=walk(cycles.grad + adds, bits.grad),
        norm_grad=np.maximum((cycles.norm_grad + again_grad) * periods, bits.norm_grad * port),
        bp=np.maximum(cycles.bp * periods, bits.bp * port),
        # The engine waits until the dW of a panel has left for DRAM.
        wg=np.maximum(cycles.wg * periods, (bits.wg - bits.sums) * port) + bits.sums * port,
        sums=bits.sums * port * (replicas - 1) / replicas,
        update=np.maximum(
            (update + target.arrays.depth) * periods,
            (bits.update / len(parts) + bits.sums / replicas) * port,
        ),
        fill_ps=max(float(bits.first.max()) * port, target.dram_ps(bits.first.sum() / 8)),
        channels=target.channels_reached(replicas),
        fp_samples=max(cycles.fp_samples),
        grad_samples=max(cycles.grad_samples),
        fp_bytes=int((bits.fp + bits.norm).sum()) // 8,
        bp_bytes=int((bits.again + bits.grad + bits.norm_grad + bits.bp).sum()) // 8,
        wg_bytes=int(bits.wg.sum()) // 8,
        sums_bytes=int(bits.sums.sum() * (replicas - 1) / replicas) // 8,
        update_bytes=int(bits.update + bits.sums.sum() / replicas) // 8,
        share_ps=share_ps * chip.precision.partial_sum,
        reach=max(1.0, window / (float(shares.max()) * chip.precision.partial_sum)),
        reduce_ps=exchange_ps * chip.precision.partial_sum,
        copy_ps=share_ps * chip.precision.weight * (stores.W == "memory"),
    )


def stores_alone(profile: Profile, parts: list[Slice], chip: ChipConfig) -> LayerStores:
    """What stays of a layer by itself: others take half of every memory, but not for its turns."""
    layer, precision, memory = profile.layer, chip.precision, chip.core.memory
    pairs, bits = profile.batch * profile.steps, precision.gradient
    products, neurons = prod(layer.product_shape) * pairs, prod(layer.out_shape) * pairs
    weights = max(profile.weights.count(part.neurons.channels) for part in parts)
    shape = (profile.steps, profile.operand_bits)
    inputs = max(input_bits(layer, part, length(part.neurons.samples), *shape) for part in parts)
    replicas = parts[-1].index + 1
    words = {
        name: max(profile.weights.words(name, part.neurons.channels) for part in parts)
        for name in ("fp", "bp")
    }
    places = max(profile.weights.all_words(part.neurons.channels) for part in parts)
    currents = products * precision.membrane // len(parts)
    parameters = chip.mapping.parameters == "auto"

    def stays(kind: str, size: int, wanted: bool = True, share: int = 2) -> Store:
        return "memory" if wanted and share * size <= memory.kept(kind) else "dram"

    through = dY_through_dram(profile.weights, profile.steps, parts, chip, profile.operand_bits)
    dW, room = stays("accumulators", weights * precision.partial_sum), memory.gradients
    two = 2 * largest_dY_bits(layer, profile.steps, parts, chip)
    pooled = memory.sharing == "pool" and dW == "memory" and two > 2 * room
    if pooled and two - room <= memory.kept("gradients"):  # samples alternate in the pool
        through, room = False, two
    state = stays("membrane", neurons * (precision.membrane + FLAGS) // len(parts))
    wish = chip.mapping.state
    return LayerStores(
        inputs=stays("spikes", inputs, profile.has_bp),
        S="dram",
        Y=stays("batch_norm", currents),
        Y_forward=stays("batch_norm", currents, share=1),
        Y_backward=stays("batch_norm", currents, share=1),
        dI=stays("batch_norm", currents, share=1),
        U="memory",
        dS=stays("spike_gradients", profile.returned * bits // len(parts)),
        dY="dram" if through else "memory",
        dY_room=room,
        input_room=memory.kept("spikes"),
        dY_rows_room=memory.gradients,
        dW=dW,
        W=stays("optimizer", places * precision.weight, parameters),
        W_forward=stays("optimizer", words["fp"] * precision.weight, parameters, share=1),
        W_backward=stays("optimizer", words["bp"] * precision.weight, parameters, share=1),
        moments=stays("optimizer", weights * profile.moment_bits // replicas, parameters),
        state=("keep" if state == "memory" else "spill") if wish == "auto" else wish,
    )
