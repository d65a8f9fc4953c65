"""Planning: choose splits and policies, count exactly, say what stays where, place the tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.config.layers import LoadedChip
from tlm.config.tables.dram_timing import DramTiming
from tlm.counts.core_arrays import CoreArrays, arrays_of
from tlm.counts.layer_weights import LayerWeights, layer_weights
from tlm.counts.layer_work import LayerWork
from tlm.counts.masks import Masks
from tlm.errors import MappingError
from tlm.placement.profile import Profile, multiplied_once, profile_layer
from tlm.placement.schedule import schedule_of
from tlm.placement.search import Chosen, Search
from tlm.placement.summed_gradients import summed_by
from tlm.placement.target import Target
from tlm.space.array_types import Bools
from tlm.space.feeds import feeds_of, operand_shape, terms_of
from tlm.space.geometry import finished_rows
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerCut, LayerStores
from tlm.space.region import Slice
from tlm.storage.address import Allocator
from tlm.storage.allocation import allocate
from tlm.storage.inference_core import check_core
from tlm.storage.plan import AddendFeeds, Adding, Gathering, HeldFeeds, LayerPlan, Plan
from tlm.storage.residency import choose_stores
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.identities import identities_as_shortcuts
from tlm.workload.model import Layer, Recording, Workload
from tlm.workload.pools import pools_behind_layers
from tlm.workload.readers import adds_output


def make_plan(
    workload: Workload,
    recording: Recording,
    loaded: LoadedChip,
    timing: DramTiming,
    grids: Sequence[Grid] | None = None,
) -> Plan:
    """Place a recorded iteration on a chip.

    Args:
        workload: the job.
        recording: the iteration's masks.
        loaded: the chip, with the energy table that mappings are compared by.
        timing: the chip's DRAM; a row over all its channels is the alignment of tensors.
        grids: the cut of every layer; chosen by the chip's ``mapping`` if not given.

    Raises:
        MappingError: the job does not fit the chip as asked.
    """
    job = job_on_chip(workload, recording, loaded, timing)
    chosen = None
    if grids is None:
        chosen = Search(job.profiles(), job.target()).run()
        grids = chosen.best.grids
    plan = job.stored(grids, chosen)
    allocate(plan)
    return plan


def job_on_chip(
    workload: Workload, recording: Recording, loaded: LoadedChip, timing: DramTiming
) -> JobOnChip:
    """A job and the chip it is to be placed on, checked as :func:`make_plan` says."""
    workload = identities_as_shortcuts(pools_behind_layers(workload))
    chip = loaded.config
    arrays = arrays_of(chip)
    masks = Masks(
        workload,
        recording,
        sparse_norm=chip.mapping.batch_norm != "exact",
        keep=chip.mapping.schedule != "layerwise",
    )
    _check_named("mapping.states", chip.mapping.states, workload)
    _check_named("core.weights.layers", chip.core.weights.layers, workload)
    _check_schedule(workload, chip)
    _check_neurons(workload)
    if loaded.energy.array_core is not None:
        check_core(workload, loaded.energy.array_core)
    for layer in workload.layers if workload.learns else ():
        _check(layer, chip)
    live = [_live(layer, masks, chip, workload) for layer in workload.layers]
    weights = [layer_weights(layer, masks, chip, arrays) for layer in workload.layers]
    return JobOnChip(workload, loaded, timing, arrays, masks, weights, live)


@dataclass(frozen=True, slots=True)
class JobOnChip:
    """A job on a chip before it is cut; ``live`` are the (step, sample) pairs by layer."""

    workload: Workload
    loaded: LoadedChip
    timing: DramTiming
    arrays: CoreArrays
    masks: Masks
    weights: list[LayerWeights]
    live: list[Bools]

    def profiles(self) -> list[Profile]:
        """What is known of every layer."""
        chip, arrays = self.loaded.config, self.arrays
        return [
            profile_layer(self.workload, layer, self.masks, self.live[layer.index], chip, arrays)
            for layer in self.workload.layers
        ]

    def target(self) -> Target:
        """The chip as mappings of the job are estimated on it."""
        return Target(
            self.loaded.config, self.arrays, self.timing, self.loaded.energy, self._stores
        )

    def _stores(self, grids: Sequence[Grid]) -> list[LayerStores]:
        """What stays where if layers are cut so."""
        return [layer_plan.stored for layer_plan in self.stored(grids, None).layers]

    def stored(self, grids: Sequence[Grid], chosen: Chosen | None) -> Plan:
        """The plan of a mapping, but for its addresses."""
        workload, chip = self.workload, self.loaded.config
        schedule = schedule_of(chip.mapping, grids, workload.batch)
        steps_run = self.masks.recording.steps_run
        if steps_run is not None:
            schedule = schedule.stopping(steps_run.tolist())
        channels, timing = chip.dram.channels, self.timing
        dram = Allocator(timing.page_bytes * channels, timing.capacity_bytes * channels)
        plan = Plan(workload, chip, self.arrays, [], dram, schedule, chosen)
        for layer, grid in zip(workload.layers, grids, strict=True):
            live = self.live[layer.index]
            weights = self.weights[layer.index]
            plan.layers.append(_plan_layer(plan, weights, self.masks, live, grid))
        for layer_plan in plan.layers:
            for producer in layer_plan.producers:
                producer.consumers.append(layer_plan)
            _add_shortcuts(plan, layer_plan)
        choose_stores(plan, self.loaded.energy)
        _share_sums(plan)
        return plan


def _add_shortcuts(plan: Plan, layer_plan: LayerPlan) -> None:
    """Tell a layer and the earlier ones what it adds of them."""
    for shortcut in layer_plan.layer.shortcuts:
        source = plan.layers[shortcut.layer]
        of_output = adds_output(shortcut, plan.workload.layers)
        adding = Adding(source, layer_plan, shortcut, of_output)
        layer_plan.added.append(adding)
        source.adders.append(adding)
    if (addend := layer_plan.layer.addend) is not None:
        layers = plan.workload.layers
        feeds, grid = feeds_of(addend, layers), operand_shape(addend, layers)
        terms = terms_of(addend, layers)
        layer_plan.addend = AddendFeeds(addend, plan.layers, feeds, terms, grid)
        for source in layer_plan.addend.producers:
            source.adders.append(Gathering(source, layer_plan, layer_plan.addend))


def _share_sums(plan: Plan) -> None:
    """Let layers whose dS comes from DRAM take up what later ones have summed of it."""
    readers = [frozenset(r.layer.index for r in lp.consumers) for lp in plan.layers]
    through_dram = [layer_plan.stored.dS == "dram" for layer_plan in plan.layers]
    plain = [lp.layer.operand is None and lp.held is None for lp in plan.layers]
    sums = summed_by(readers, plain, [lp.cut.split.k for lp in plan.layers], through_dram)
    for layer_plan, later in zip(plan.layers, sums, strict=True):
        layer_plan.summed_by = None if later is None else plan.layers[later]


def _check(layer: Layer, chip: ChipConfig) -> None:
    """Refuse what the engines cannot walk back."""
    pool, policy, norm = layer.current_pool, chip.mapping.batch_norm, layer.norm
    if norm is not None and policy == "folded" and not norm.foldable:
        raise MappingError(
            f"mapping.batch_norm: layer {layer.name}: its norm has a scale for each time step, "
            "which cannot be folded into weights that all steps share; use exact or frozen"
        )
    if norm is not None and policy == "folded" and layer.held is not None:
        raise MappingError(
            f"mapping.batch_norm: layer {layer.name}: its norm stands behind a product of two "
            "recorded tensors, so that there are no weights to fold it into; use exact or frozen"
        )
    if layer.norm is not None and pool is not None and pool.kind == "max" and policy != "exact":
        raise MappingError(
            f"mapping.batch_norm: layer {layer.name}: {policy} needs to know which current a "
            "max-pool kept, which a job does not record behind batch normalisation; use exact"
        )


def _check_neurons(workload: Workload) -> None:
    """Refuse GLM neurons in front of others: only those that put out are laid over cores."""
    for layer in workload.layers[:-1]:
        if isinstance(layer.neuron, GLMNeuron):
            raise MappingError(
                f"layer {layer.name}: GLM neurons are laid over cores in the last layer alone; "
                "give a job with LIF neurons in the others"
            )


def _check_schedule(workload: Workload, chip: ChipConfig) -> None:
    """Refuse a schedule that starts a sample before batch statistics are known.

    Raises:
        MappingError: so it would.
    """
    mapping = chip.mapping
    if mapping.schedule == "layerwise" or mapping.batch_norm != "exact":
        return
    for layer in workload.layers:
        if layer.norm is not None:
            raise MappingError(
                f"mapping.schedule: layer {layer.name}: {mapping.schedule} cannot start a sample "
                "before the statistics of the whole batch are known; use "
                "mapping.schedule=layerwise, or mapping.batch_norm=frozen or folded"
            )


def _check_named(key: str, exceptions: Sequence[tuple[str, str]], workload: Workload) -> None:
    known = [layer.name for layer in workload.layers]
    for name, _ in exceptions:
        if name not in known:
            raise MappingError(
                f"{key}: no layer {name} in {workload.name}; its layers are " + ", ".join(known)
            )


def _plan_layer(
    plan: Plan, weights: LayerWeights, masks: Masks, live: Bools, grid: Grid
) -> LayerPlan:
    workload, chip, arrays = plan.workload, plan.chip, plan.arrays
    layer = weights.layer
    slices = grid.slices()
    return LayerPlan(
        layer=layer,
        cut=LayerCut(grid, slices, _owners(layer, workload.batch, slices)),
        masks=masks,
        work=LayerWork(layer, masks, live, arrays, weights.packed),
        weights=weights,
        live=live,
        operand_bits=masks.operand_bits(layer, chip.precision.input),
        norm=None if layer.norm is None else chip.mapping.batch_norm,
        repeats=workload.steps if multiplied_once(workload, layer, chip) else 1,
        feeds=feeds_of(layer, workload.layers),
        operand=operand_shape(layer, workload.layers) if layer.sources else layer.in_shape,
        held=_held(layer, workload),
        producers=[plan.layers[source] for source in layer.producers],
    )


def _held(layer: Layer, workload: Workload) -> HeldFeeds | None:
    held, layers = layer.held, workload.layers
    return None if held is None else HeldFeeds(feeds_of(held, layers), operand_shape(held, layers))


def _live(layer: Layer, masks: Masks, chip: ChipConfig, workload: Workload) -> Bools:
    """The (step, sample) pairs whose dY is not skipped whole; batch statistics leave no zeros.

    Inference has no dY.
    """
    gradients = masks.dY(layer.index)
    if not workload.learns:
        return np.zeros(gradients.shape[:2], np.bool_)
    exact = layer.norm is not None and chip.mapping.batch_norm == "exact"
    if exact or not chip.core.skip_slices:
        return np.ones(gradients.shape[:2], np.bool_)
    return np.asarray(gradients.any(axis=(2, 3, 4)))


def _owners(
    layer: Layer, batch: int, slices: list[Slice]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    k, rows, _ = layer.pooled_shape
    owner = np.full((batch, k, rows), -1, dtype=np.int64)
    for part in slices:
        at = part.neurons
        pooled = finished_rows(layer.pool, at.rows, layer.out_shape[1], rows)
        owner[slice(*at.samples), slice(*at.channels), slice(*pooled)] = part.index
    return owner
