"""All figures of a run, with the verdict of the laws in front."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.laws import Check, lower_bounds_ps
from tlm.running.figures.bottlenecks import busiest, stalls
from tlm.running.figures.energy import efficiency_part, energy_part
from tlm.running.figures.engines import engines_part
from tlm.running.figures.job import chip_part, job_part, sparsity_part, weights_part
from tlm.running.figures.network import network_warnings
from tlm.running.figures.sanity import sanity_warnings
from tlm.running.figures.synaptic import synaptic_part
from tlm.running.figures.traffic import dram_part, noc_part
from tlm.running.figures.work import time_part, work_part
from tlm.running.preparation import PreparedRun
from tlm.trace.summary import Summary


def summarise(
    chip: Chip, prepared: PreparedRun, rows: Sequence[EnergyRow], checks: Sequence[Check]
) -> Summary:
    """The summary of a run that has reached its end; invalid if a law is broken."""
    plan, recording = prepared.plan, prepared.recording
    broken = {check.name: check.detail for check in checks if not check.holds}
    time, energy, engines = time_part(chip, plan), energy_part(rows), engines_part(chip)
    busy = {name: engines[name] for name in (engines if plan.workload.learns else ("fp",))}
    return Summary(
        status="invalid" if broken else "ok",
        checks=len(checks),
        broken=broken,
        workload=job_part(plan, recording),
        chip=chip_part(plan, prepared.chip.unsourced),
        time=time,
        work=work_part(chip, plan),
        energy=energy,
        efficiency=efficiency_part(chip, plan.workload, recording, rows),
        synaptic=synaptic_part(chip, plan, rows, time),
        engines=engines,
        dram=dram_part(chip, plan, recording),
        noc=noc_part(chip),
        sparsity=sparsity_part(plan, recording),
        weights=weights_part(plan, recording, prepared.weights),
        busiest=busiest(chip),
        stalls=stalls(chip, plan),
        lower_bounds_ps=lower_bounds_ps(chip),
        warnings=[
            *sanity_warnings(prepared.chip, prepared.timing, time.makespan_ps, energy, busy),
            *network_warnings(chip),
        ],
    )
