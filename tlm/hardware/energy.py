"""Energy: what a run counted times the table, line by line, leakage apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tlm.config.tables.dram_energy import command_energy
from tlm.config.tables.dram_timing import DramTiming
from tlm.config.tables.energy import EnergyTable, Leakage
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.config.tables.priced import Action
from tlm.hardware.chip import Chip
from tlm.space.phase import Phase


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """One line of ``energy.csv``: ``count`` actions of ``pj_each``.

    ``phase`` and ``layer`` are empty and -1 for what belongs to no phase. A leakage row counts
    instance-picoseconds, each worth the instance's power in W (1 W x 1 ps = 1 pJ).
    """

    component: str
    action: str
    phase: str
    layer: int
    count: int
    pj_each: float
    source: str
    confidence: str

    @property
    def total_pj(self) -> float:
        """Energy of the row in pJ."""
        return self.count * self.pj_each


def energy_rows(chip: Chip, table: EnergyTable) -> list[EnergyRow]:
    """Every (component, action, phase, layer) that a settled run counted, in a fixed order.

    Raises:
        ConfigError: the table lacks an action; its text names action and file.
    """
    if chip.config.dram.energy == "currents":
        table = with_currents(table, chip.timing)
    counts: dict[tuple[str, str, str, int], int] = {}
    for key, count in _counts(chip):
        counts[key] = counts.get(key, 0) + count
    rows = [
        _row(table, key, count)
        for key, count in sorted(counts.items(), key=lambda item: _order(item[0]))
        if count
    ]
    return rows + list(_leakage(chip, table))


def with_currents(table: EnergyTable, timing: DramTiming) -> EnergyTable:
    """The table with the DRAM's energies replaced by those of a device's supply currents.

    Background power is that of an open bank, but for the share of time spent refreshing.
    """
    assert timing.currents is not None, timing.name  # checked when the chip was loaded
    each = command_energy(timing, timing.currents)
    bits = timing.burst_bytes * 8
    source = f"supply currents of {timing.name}: {timing.source}"
    refreshing = timing.trfc_clk / timing.trefi_clk
    background_w = each.open_w * (1 - refreshing) + each.closed_w * refreshing
    actions = {
        "read_bit": each.read_pj / bits,
        "write_bit": each.write_pj / bits,
        "activate": each.activate_pj,
        "refresh": each.refresh_pj,
    }
    return replace(
        table,
        actions=table.actions
        | {("dram", name): Action(pj, source, "derived") for name, pj in actions.items()},
        leakage=table.leakage | {"dram_channel": Leakage(background_w, source, "derived")},
    )


def _order(key: tuple[str, str, str, int]) -> tuple[int, int, str, str]:
    component, action, phase, layer = key
    return (Phase[phase.upper()] if phase else -1, layer, component, action)


def _row(table: EnergyTable, key: tuple[str, str, str, int], count: int) -> EnergyRow:
    component, action, phase, layer = key
    pj_each = table.pj(component, action)
    entry = table.actions[component, action]
    return EnergyRow(
        component, action, phase, layer, count, pj_each, entry.source, entry.confidence
    )


def _counts(chip: Chip) -> Iterator[tuple[tuple[str, str, str, int], int]]:
    for engine in chip.engines:
        for (phase, layer), tally in engine.tallies.items():
            for action, count in tally.work.energy.items():
                component, _, name = action.partition(".")
                yield (component, name, phase.name.lower(), layer), count
    flit_bits = chip.config.noc.link
    burst_bits = chip.timing.burst_bytes * 8
    for (number, layer), traffic in chip.traffic.items():
        name = Phase(number).name.lower()
        yield ("noc", "router_bit", name, layer), traffic.router_flits * flit_bits
        yield ("noc", "link_bit", name, layer), traffic.link_flits * flit_bits
        yield ("dram", "read_bit", name, layer), traffic.read_bursts * burst_bits
        yield ("dram", "write_bit", name, layer), traffic.write_bursts * burst_bits
    for channel in chip.controllers:
        yield ("dram", "activate", "", -1), channel.counters.activates
        yield ("dram", "refresh", "", -1), channel.counters.refreshes


def _leakage(chip: Chip, table: EnergyTable) -> Iterator[EnergyRow]:
    now = chip.env.now
    config = chip.config
    instances = {
        "core": config.cores,
        "router": config.routers,
        "dram_channel": len(chip.channels),
    }
    for component, number in instances.items():
        entry = table.leakage[component]
        yield EnergyRow(
            component, LEAKAGE, "", -1, now * number, entry.power_w, entry.source, entry.confidence
        )
