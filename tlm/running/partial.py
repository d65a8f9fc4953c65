"""What is known of a run that did not reach its end: counts so far, never taken for a summary."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.running.summary import Json
from tlm.storage.plan import Plan

FILE_NAME = "summary.partial.json"


def partial_summary(status: str, chip: Chip, plan: Plan, rows: list[EnergyRow]) -> Json:
    """Work, traffic and energy up to the moment at which the run was stopped.

    What is in flight has been charged where it was issued; a tile that was computing is not in
    ``tiles_done``. No invariant has been checked, since most of them hold at the end alone.
    """
    energy: dict[str, float] = {}
    for row in rows:
        energy[row.component] = energy.get(row.component, 0.0) + row.total_pj
    work: dict[str, dict[str, int]] = {}
    for engine in chip.engines:
        for (phase, _), tally in engine.tallies.items():
            entry = work.setdefault(phase.name.lower(), {"tiles": 0, "cycles": 0})
            entry["tiles"] += tally.tiles
            entry["cycles"] += tally.cycles
    return {
        "schema": "tlm-partial-summary",
        "schema_version": 1,
        "status": status,
        "workload": plan.workload.name,
        "chip": plan.chip.name,
        "simulated_ps": chip.env.now,
        "tiles_done": sum(entry["tiles"] for entry in work.values()),
        "tiles": sum(len(engine.tiles) for engine in chip.engines),
        "transactions_issued": sum(t.transactions for t in chip.traffic.values()),
        "read_bytes": sum(t.read_bytes for t in chip.traffic.values()),
        "write_bytes": sum(t.write_bytes for t in chip.traffic.values()),
        "message_bytes": sum(t.message_bytes for t in chip.traffic.values()),
        "work": work,
        "energy_pj": energy,
    }
