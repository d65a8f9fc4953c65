"""Energy by component, phase and layer, and the efficiency that follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tlm.config.tables.energy_actions import LEAKAGE
from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.trace.summary import EfficiencyPart, EnergyPart, TflopsPerWatt
from tlm.workload.model import Recording, Workload

# Boundary core: engines, buffers, soma, gradient and batch-norm units from FP to WG.
CORE_PHASES = ("fp", "norm", "grad", "norm_grad", "bp", "wg", "recompute")
CORE_COMPONENTS = ("fp", "bp", "wg", "engine")


def energy_part(rows: Sequence[EnergyRow]) -> EnergyPart:
    """Sums of the rows of ``energy.csv``; leakage stands apart from what actions cost."""
    leakage = {row.component: row.total_pj for row in rows if row.action == LEAKAGE}
    by_component = _dynamic_pj(rows, "component")
    return EnergyPart(
        total_pj=math.fsum([*by_component.values(), *leakage.values()]),
        dynamic_pj=math.fsum(by_component.values()),
        leakage_pj=math.fsum(leakage.values()),
        by_component_pj=by_component,
        by_phase_pj=_dynamic_pj(rows, "phase"),
        by_layer_pj=_dynamic_pj(rows, "layer"),
        leakage_by_component_pj=leakage,
        assumed_share=_assumed_share(rows),
    )


def _dynamic_pj(rows: Sequence[EnergyRow], column: str) -> dict[str, float]:
    """Energy of all actions by the values of a column, in the order in which they appear."""
    groups: dict[str, list[float]] = {}
    for row in rows:
        if row.action != LEAKAGE:
            groups.setdefault(str(getattr(row, column)), []).append(row.total_pj)
    return {name: math.fsum(energies) for name, energies in groups.items()}


def _assumed_share(rows: Sequence[EnergyRow]) -> float:
    total = math.fsum(row.total_pj for row in rows)
    assumed = math.fsum(row.total_pj for row in rows if row.confidence == "assumed")
    return assumed / total if total else 0.0


def efficiency_part(
    chip: Chip, workload: Workload, recording: Recording, rows: Sequence[EnergyRow]
) -> EfficiencyPart:
    """Three counts of FLOP over the energy of two boundaries; see :class:`EfficiencyPart`."""
    work = [tally.work for engine in chip.engines for tally in engine.tallies.values()]
    dense, slots = (
        dense_equivalent_flop(workload, recording),
        2 * sum(entry.dense for entry in work),
    )
    useful = 2 * sum(entry.useful for entry in work)
    core_pj = math.fsum(
        row.total_pj
        for row in rows
        if row.component in CORE_COMPONENTS and row.phase in CORE_PHASES
    )
    chip_pj = math.fsum(row.total_pj for row in rows)
    return EfficiencyPart(
        dense_equivalent_flop=dense,
        slot_flop=slots,
        effective_flop=useful,
        core_pj=core_pj,
        dense_equivalent_tflops_w=TflopsPerWatt(dense / core_pj, dense / chip_pj),
        slot_tflops_w=TflopsPerWatt(slots / core_pj, slots / chip_pj),
        effective_tflops_w=TflopsPerWatt(useful / core_pj, useful / chip_pj),
        dense_equivalent_tflops=dense / chip.env.now,
        effective_tflops=useful / chip.env.now,
    )


def dense_equivalent_flop(workload: Workload, recording: Recording) -> int:
    """2 for every multiply-accumulate that the layers' shapes ask of FP, BP and WG.

    B T times, or as often as a step of a sample is run where samples stop early.
    Whatever a chip repeats, inserts or leaves out does not matter. The first layer has no BP,
    inference neither BP nor WG.
    """
    passes = [2 + bool(layer.producers) for layer in workload.layers]
    macs = sum(
        layer.macs * (count if workload.learns else 1)
        for layer, count in zip(workload.layers, passes, strict=True)
    )
    every = workload.batch * workload.steps
    runs = every if recording.steps_run is None else int(recording.steps_run.sum())
    return 2 * runs * macs
