"""Energy: counts of the units times the table, nothing else, nothing missing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tlm.config.tables.energy import EnergyTable
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.hardware.chip import Chip
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.energy import EnergyRow, with_currents
from tlm.laws.check import Check
from tlm.space.phase import ENGINES

RELATIVE_ERROR = 1e-9  # of energy sums in another order
MACS = ("fp.mac_add", "fp.mac_mul", "bp.mac", "wg.mac_add", "wg.mac_mul", "engine.mac_idle")


def energy(rows: list[EnergyRow], total_pj: float) -> Iterator[Check]:
    """The total is the sum of counts times pJ; nothing negative, nothing not a number."""
    total = math.fsum(row.count * row.pj_each for row in rows)
    close = math.isclose(total, total_pj, rel_tol=RELATIVE_ERROR)
    yield Check("energy adds up", close, f"rows {total} pJ, summary {total_pj} pJ")
    bad = [f"{r.component}.{r.action}" for r in rows if not 0 <= r.total_pj < math.inf]
    yield Check("energy finite and not negative", not bad, f"{bad}")


def charged(chip: Chip, rows: list[EnergyRow]) -> Iterator[Check]:
    """What is charged is what the units counted: tallies, flits, bits of the channels, time."""
    counted: dict[str, int] = {}
    for row in rows:
        name = f"{row.component}.{row.action}"
        counted[name] = counted.get(name, 0) + row.count
    due = _counted(chip)
    names = [*due, *(name for name in counted if name not in due)]
    wrong = [name for name in names if counted.get(name, 0) != due.get(name, 0)]
    yield Check("energy charged as counted", not wrong, f"{wrong}")
    useful = sum(t.work.useful for e in chip.engines for t in e.tallies.values())
    macs = sum(count for name, count in counted.items() if name in MACS)
    dense = sum(t.work.dense for e in chip.engines for t in e.tallies.values())
    ordered = useful <= macs <= dense
    yield Check("useful <= executed <= dense", ordered, f"{useful}, {macs}, {dense}")


def _counted(chip: Chip) -> dict[str, int]:
    """How often the units themselves say they did each action."""
    due: dict[str, int] = {}
    for engine in chip.engines:
        for tally in engine.tallies.values():
            for action, count in tally.work.energy.items():
                due[action] = due.get(action, 0) + count
    network, link = chip.network, chip.config.noc.link
    hops = sum(port.flits for port in network.links.values())
    due["noc.link_bit"] = hops * link
    due["noc.router_bit"] = (hops + sum(port.flits for port in network.ejections)) * link
    return due | _of_channels(chip) | _of_leakage(chip)


def _of_channels(chip: Chip) -> dict[str, int]:
    bits = chip.timing.burst_bytes * 8
    channels = [c.counters for c in chip.channels if isinstance(c, DramChannel)]
    if not channels:  # ideal channels know bytes alone: their bits are those the DMAs asked for
        traffic = chip.traffic.values()
        return {
            "dram.read_bit": bits * sum(t.read_bursts for t in traffic),
            "dram.write_bit": bits * sum(t.write_bursts for t in traffic),
        }
    return {
        "dram.read_bit": bits * sum(c.reads for c in channels),
        "dram.write_bit": bits * sum(c.writes for c in channels),
        "dram.activate": sum(c.activates for c in channels),
        "dram.refresh": sum(c.refreshes for c in channels),
    }


def _of_leakage(chip: Chip) -> dict[str, int]:
    """Instance-picoseconds, from the engines' accounts."""
    accounted = chip.engines[0].accounted_ps
    return {
        f"core.{LEAKAGE}": accounted * len(chip.engines) // len(ENGINES),
        f"router.{LEAKAGE}": accounted * chip.config.mesh.columns * chip.config.mesh.rows,
        f"dram_channel.{LEAKAGE}": accounted * chip.config.dram.channels,
    }


def priced(chip: Chip, rows: list[EnergyRow], table: EnergyTable) -> Iterator[Check]:
    """Every row has the price that the table gives this very action."""
    if chip.config.dram.energy == "currents":
        table = with_currents(table, chip.timing)
    wrong = [
        f"{row.component}.{row.action}"
        for row in rows
        if row.pj_each
        != (
            table.leakage[row.component].power_w
            if row.action == LEAKAGE
            else table.pj(row.component, row.action)
        )
    ]
    yield Check("energy priced by the table", not wrong, f"{wrong}")
