"""When each phase ran, and the exact work of each phase of each layer."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.space.phase import Phase
from tlm.storage.plan import Plan
from tlm.trace.summary import PhaseTime, PhaseWork, TimePart


def time_part(chip: Chip, plan: Plan) -> TimePart:
    """The makespan, and the span of every phase that was run."""
    makespan_ps = chip.env.now
    return TimePart(
        makespan_ps=makespan_ps,
        per_sample_ps=makespan_ps / plan.workload.batch,
        core_cycles=makespan_ps / chip.config.core.period_ps,
        phases={
            phase.name.lower(): time
            for phase in Phase
            if (time := _phase_time(chip, phase)) is not None
        },
    )


def _phase_time(chip: Chip, phase: Phase) -> PhaseTime | None:
    """None if no tile of the phase was run."""
    tallies = [
        (tally, engine)
        for engine in chip.engines
        for (tally_phase, _), tally in engine.tallies.items()
        if tally_phase == phase
    ]
    if not tallies:
        return None
    return PhaseTime(
        begin_ps=min(tally.begin for tally, _ in tallies),
        end_ps=max(tally.end for tally, _ in tallies),
        computing_ps=sum(tally.cycles * engine.period_ps for tally, engine in tallies),
        cores=len({engine.path for _, engine in tallies}),
    )


def work_part(chip: Chip, plan: Plan) -> dict[str, dict[str, PhaseWork]]:
    """Exact work by layer and phase, summed over cores."""
    return {
        layer_plan.layer.name: {
            phase.name.lower(): work
            for phase in Phase
            if (work := _phase_work(chip, phase, layer_plan.layer.index)) is not None
        }
        for layer_plan in plan.layers
    }


def _phase_work(chip: Chip, phase: Phase, layer: int) -> PhaseWork | None:
    """None if the layer has no tile of the phase."""
    key = (phase, layer)
    tallies = [engine.tallies[key] for engine in chip.engines if key in engine.tallies]
    if not tallies:
        return None
    return PhaseWork(
        tiles=sum(tally.tiles for tally in tallies),
        cycles=sum(tally.cycles for tally in tallies),
        slots=sum(tally.work.slots for tally in tallies),
        executed_slots=sum(tally.work.executed for tally in tallies),
        dense_macs=sum(tally.work.dense for tally in tallies),
        useful_macs=sum(tally.work.useful for tally in tallies),
    )
