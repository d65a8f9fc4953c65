"""Synaptic operations, and what each of them costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.running.figures.energy import CORE_COMPONENTS
from tlm.space.phase import Phase
from tlm.storage.plan import Plan
from tlm.trace.summary import SynapticPart, TimePart
from tlm.workload.model import NETWORK_INPUT, Layer, Workload

FORWARD = ("fp", "norm")


def synaptic_part(
    chip: Chip, plan: Plan, rows: Sequence[EnergyRow], time: TimePart
) -> SynapticPart:
    """Operations that the engines counted in FP, and the energy of the forward pass by each."""
    counts = {True: 0, False: 0}
    for layer in plan.workload.layers:
        for engine in chip.engines:
            tally = engine.tallies.get((Phase.FP, layer.index))
            counts[_reads_spikes(plan.workload, layer)] += tally.work.useful if tally else 0
    forward = [row for row in rows if row.phase in FORWARD]
    core_pj = math.fsum(row.total_pj for row in forward if row.component in CORE_COMPONENTS)
    shared_pj = math.fsum(row.total_pj for row in rows if not row.phase)
    share = _forward_share(time) if plan.workload.learns else 1.0
    chip_pj = math.fsum(row.total_pj for row in forward) + share * shared_pj
    operations = counts[True]
    return SynapticPart(
        operations=operations,
        analog_macs=counts[False],
        core_pj=core_pj,
        chip_pj=chip_pj,
        core_pj_per_operation=core_pj / operations if operations else None,
        chip_pj_per_operation=chip_pj / operations if operations else None,
    )


def _forward_share(time: TimePart) -> float:
    """The share of a run from the first tile of its forward pass to the last."""
    phases = [time.phases[name] for name in FORWARD if name in time.phases]
    span_ps = max(phase.end_ps for phase in phases) - min(phase.begin_ps for phase in phases)
    return span_ps / time.makespan_ps


def _reads_spikes(workload: Workload, layer: Layer) -> bool:
    """Whether a layer's inputs are spikes or counts of them and meet weights; else values do."""
    if layer.held is not None:
        return False
    if NETWORK_INPUT in layer.sources and workload.encoding == "direct":
        return False
    return all(workload.layers[source].neuron is not None for source in layer.producers)
