"""What is known of a run that did not reach its end: counts so far, never taken for a summary."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.storage.plan import Plan

FILE_NAME = "summary.partial.json"


@dataclass
class PhaseProgress:
    """Tiles that a phase has done, and the cycles that they took."""

    tiles: int = 0
    cycles: int = 0


@dataclass(frozen=True, kw_only=True)
class PartialSummary:
    """``summary.partial.json``: work, traffic in bytes and energy until the run was stopped.

    ``work`` goes by phase, ``energy_pj`` by component.
    """

    schema: str = "tlm-partial-summary"
    schema_version: int = 1
    status: str
    workload: str
    chip: str
    simulated_ps: int
    tiles_done: int
    tiles: int
    transactions_issued: int
    read_bytes: int
    write_bytes: int
    message_bytes: int
    work: dict[str, PhaseProgress]
    energy_pj: dict[str, float]


def partial_summary(status: str, chip: Chip, plan: Plan, rows: list[EnergyRow]) -> PartialSummary:
    """Work, traffic and energy up to the moment at which the run was stopped.

    What is in flight has been charged where it was issued; a tile that was computing is not in
    ``tiles_done``. No invariant has been checked, since most of them hold at the end alone.
    """
    energy_pj: dict[str, float] = {}
    for row in rows:
        energy_pj[row.component] = energy_pj.get(row.component, 0.0) + row.total_pj
    work: dict[str, PhaseProgress] = {}
    for engine in chip.engines:
        for (phase, _), tally in engine.tallies.items():
            progress = work.setdefault(phase.name.lower(), PhaseProgress())
            progress.tiles += tally.tiles
            progress.cycles += tally.cycles
    return PartialSummary(
        status=status,
        workload=plan.workload.name,
        chip=plan.chip.name,
        simulated_ps=chip.env.now,
        tiles_done=sum(progress.tiles for progress in work.values()),
        tiles=sum(len(engine.tiles) for engine in chip.engines),
        transactions_issued=sum(traffic.transactions for traffic in chip.traffic.values()),
        read_bytes=sum(traffic.read_bytes for traffic in chip.traffic.values()),
        write_bytes=sum(traffic.write_bytes for traffic in chip.traffic.values()),
        message_bytes=sum(traffic.message_bytes for traffic in chip.traffic.values()),
        work=work,
        energy_pj=energy_pj,
    )
