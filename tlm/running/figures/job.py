"""Which job ran on which chip, how it was split, and how sparse it is."""

from __future__ import annotations

from tlm.storage.plan import Plan
from tlm.trace.summary import ChipPart, JobPart, LayerDensity, LayerSplit, SparsityPart, WeightsPart
from tlm.workload.drawn.weights import WeightRule
from tlm.workload.model import Recording
from tlm.workload.report.density import densities


def job_part(plan: Plan, recording: Recording) -> JobPart:
    """The job and the recorded iteration."""
    workload = plan.workload
    return JobPart(
        name=workload.name,
        sha256=workload.sha256,
        iteration=recording.iteration,
        batch=workload.batch,
        steps=workload.steps,
        dataset=workload.dataset,
        accuracy=workload.accuracy,
        activity=workload.activity,
        mode=workload.mode,
        steps_run=None if recording.steps_run is None else recording.steps_run.tolist(),
    )


def chip_part(plan: Plan, unsourced: list[str]) -> ChipPart:
    """The chip, and the split of every layer."""
    chip = plan.chip
    splits = {
        layer_plan.layer.name: LayerSplit(
            k=layer_plan.cut.split.k,
            batch=layer_plan.cut.split.batch,
            spatial=layer_plan.cut.split.spatial,
            cores=len(layer_plan.cut.slices),
        )
        for layer_plan in plan.layers
    }
    return ChipPart(
        name=chip.name,
        cores=chip.cores,
        noc_model=chip.noc.model,
        dram_model=chip.dram.model,
        energy_table=chip.energy,
        splits=splits,
        unsourced=unsourced,
    )


def sparsity_part(plan: Plan, recording: Recording) -> SparsityPart:
    """Measured densities of the recorded tensors."""
    measured = densities(recording)
    layers = {
        layer.name: LayerDensity(
            S=measured.spikes[layer.index].tolist() if layer.neuron else [],
            m=measured.masks[layer.index].tolist() if layer.neuron else [],
            dU=measured.dU[layer.index].tolist(),
            zero_slices=float(measured.idle_slices[layer.index]),
        )
        for layer in (layer_plan.layer for layer_plan in plan.layers)
    }
    return SparsityPart(measured.inputs, layers)


def weights_part(plan: Plan, recording: Recording, rule: WeightRule) -> WeightsPart | None:
    """Which weights there are and how they are stored; None if all are, each in its place."""
    if recording.weights is None and all(each.weights.packed is None for each in plan.layers):
        return None
    workload, memory = plan.workload, plan.chip.core.weights
    level = workload.levels[workload.iterations.index(recording.iteration)]
    weighted = [layer for layer in workload.layers if layer.weighted]
    names, kept = [layer.name for layer in weighted], [1.0] * len(weighted)
    if recording.weights is not None:
        kept = [float(recording.weights[layer.index].mean()) for layer in weighted]
    return WeightsPart(
        rule=rule.words(level),
        kept=dict(zip(names, kept, strict=True)),
        organisations={name: memory.of(name) for name in names},
        bits={
            each.layer.name: each.weights.all_words((0, each.layer.product_channels))
            * plan.chip.precision.weight
            for each in plan.layers
            if each.layer.weighted
        },
    )
