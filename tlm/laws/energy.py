"""Energy: the counts of the units times the prices of the table, nothing else, nothing missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlm.config.tables.energy import EnergyTable
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.laws.check import Check
from tlm.laws.prices import bit_prices, current_prices, table_prices
from tlm.space.phase import ENGINES

RELATIVE_ERROR = 1e-9  # of energy sums in another order
MACS = ("fp.mac_add", "fp.mac_mul", "bp.mac", "wg.mac_add", "wg.mac_mul", "engine.mac_idle")


@dataclass(frozen=True, slots=True)
class Bill:
    """A run's energy: its rows, their total in pJ by the summary, and the table of prices."""

    rows: Sequence[EnergyRow]
    total_pj: float
    table: EnergyTable


def energy_sum(bill: Bill) -> Iterator[Check]:
    """The total is the sum of counts times pJ; nothing negative, nothing not a number."""
    total = math.fsum(row.count * row.pj_each for row in bill.rows)
    close = math.isclose(total, bill.total_pj, rel_tol=RELATIVE_ERROR)
    yield Check("energy adds up", close, f"rows {total} pJ, summary {bill.total_pj} pJ")
    wrong = [f"{r.component}.{r.action}" for r in bill.rows if not 0 <= r.total_pj < math.inf]
    yield Check("energy finite and not negative", not wrong, f"{wrong}")


def energy_counts(chip: Chip, bill: Bill) -> Iterator[Check]:
    """What is charged is what the units counted: tallies, flits, bits of the channels, time."""
    charged = Counter[str]()
    for row in bill.rows:
        charged[f"{row.component}.{row.action}"] += row.count
    counted = _counted(chip)
    names = dict.fromkeys((*counted, *charged))
    wrong = [name for name in names if charged[name] != counted.get(name, 0)]
    yield Check("energy charged as counted", not wrong, f"{wrong}")
    tallies = [tally for engine in chip.engines for tally in engine.tallies.values()]
    useful = sum(tally.work.useful for tally in tallies)
    macs = sum(charged[name] for name in MACS)
    dense = sum(tally.work.dense for tally in tallies)
    ordered = useful <= macs <= dense
    yield Check("useful <= executed <= dense", ordered, f"{useful}, {macs}, {dense}")


def _counted(chip: Chip) -> dict[str, int]:
    """How often the units themselves say they did each action."""
    counts = Counter[str]()
    for engine in chip.engines:
        for tally in engine.tallies.values():
            counts.update(tally.work.energy)
    network, link = chip.network, chip.config.noc.link
    hops = sum(port.flits for port in network.links.values())
    counts["noc.link_bit"] = hops * link
    counts["noc.router_bit"] = (hops + sum(port.flits for port in network.ejections)) * link
    return {**counts, **_of_channels(chip), **_of_leakage(chip)}


def _of_channels(chip: Chip) -> dict[str, int]:
    """Bits that the channels moved, and their other commands."""
    bits = chip.timing.burst_bytes * 8
    channels = [channel.counters for channel in chip.controllers]
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
        f"router.{LEAKAGE}": accounted * chip.network.routers,
        f"dram_channel.{LEAKAGE}": accounted * chip.config.dram.channels,
    }


def energy_prices(chip: Chip, bill: Bill) -> Iterator[Check]:
    """Every row has the price that the table's file, or the device's currents, give its action."""
    prices = table_prices(bill.table, chip.config)
    prices |= bit_prices(bill.table, chip.config.dram.energy, chip.timing)
    if chip.config.dram.energy == "currents":
        prices |= current_prices(chip.timing)
    wrong = []
    for row in bill.rows:
        price = prices.get(f"{row.component}.{row.action}", math.nan)
        if not math.isclose(row.pj_each, price, rel_tol=RELATIVE_ERROR):
            wrong.append(f"{row.component}.{row.action}: {row.pj_each}, due {price}")
    yield Check("energy priced by the table", not wrong, f"{wrong[:3]}")
