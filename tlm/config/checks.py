"""What single values cannot show: the checks across the keys of a chip, before time 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tlm.config.core import period_ps

if TYPE_CHECKING:
    from tlm.config.chip import ChipConfig
    from tlm.config.fabric import Dram

WORD_BITS = 16  # of the engines' arithmetic, and of the accesses in the energy tables
ROUTER_STAGES = (2, 3, 4)  # pipelines that the router model knows
_PERIOD_ERROR = 1e-3  # a clock whose period in whole ps is further off than this is refused


def chip_problems(chip: ChipConfig) -> list[str]:
    """One line ``key: what is wrong and how to mend it`` for every contradiction in ``chip``."""
    return [
        *_mesh(chip),
        *_clock("core.clock", chip.core.clock),
        *_domains(chip),
        *_words(chip),
        *_clock("noc.clock", chip.noc.clock),
        *_packets(chip),
        *_interleave(chip),
        *_nodes(chip),
        *_queues(chip.dram),
    ]


def _mesh(chip: ChipConfig) -> Iterator[str]:
    nodes = chip.mesh.columns * chip.mesh.rows
    if chip.cores > nodes:
        yield (
            f"cores: more cores than mesh nodes: {chip.cores} cores on a mesh of "
            f"{chip.mesh.columns} x {chip.mesh.rows} = {nodes} nodes; "
            "lower cores, or raise mesh.columns or mesh.rows"
        )


def _clock(key: str, clock: int) -> Iterator[str]:
    period = period_ps(clock)
    if period < 1 or abs(period * clock - 10**12) >= _PERIOD_ERROR * 10**12:
        possible = f"{10**6 / max(period, 1):.6g} MHz"
        yield (
            f"{key}: time is counted in whole ps and {clock / 10**6:.6g} MHz is no whole number "
            f'of them to 0.1 %; the nearest clock that is: "{possible}"'
        )


def _domains(chip: ChipConfig) -> Iterator[str]:
    seen: dict[int, bool] = {}
    for domain in chip.core.clocks:
        yield from _clock("core.clocks", domain.clock)
        if not domain.first <= domain.last < chip.cores:
            yield (
                f"core.clocks: {domain.first}-{domain.last} is no range of cores; "
                f"they are 0 to {chip.cores - 1}"
            )
            continue
        for core in range(domain.first, domain.last + 1):
            if core in seen:
                yield f"core.clocks: core {core} has two clocks; give it one"
            seen[core] = True


def _words(chip: ChipConfig) -> Iterator[str]:
    for name in ("weight", "gradient", "input"):
        bits = getattr(chip.precision, name)
        if bits > WORD_BITS:
            yield (
                f"precision.{name}: the engines calculate in {WORD_BITS} bit; "
                f'expected at most "{WORD_BITS} bit", got {bits} bit'
            )


def _packets(chip: ChipConfig) -> Iterator[str]:
    noc = chip.noc
    if noc.link % 8:
        yield f'noc.link: expected a multiple of 8 bit (such as "128 bit"), got {noc.link} bit'
    if noc.model == "router" and noc.router_stages not in ROUTER_STAGES:
        yield (
            "noc.router_stages: model router has pipelines of 2, 3 or 4 stages, "
            f"got {noc.router_stages}"
        )
    if noc.payload < 64 or not _power_of_two(noc.payload):
        yield (
            'noc.payload: expected a power of two of at least 64 B (such as "256 B"), '
            f"got {noc.payload} B"
        )


def _interleave(chip: ChipConfig) -> Iterator[str]:
    interleave, payload = chip.dram.interleave, chip.noc.payload
    if interleave % payload or not _power_of_two(interleave):
        yield (
            "dram.interleave: expected a power of two and a multiple of noc.payload "
            f"({payload} B), so that no packet spans two channels; got {interleave} B"
        )


def _nodes(chip: ChipConfig) -> Iterator[str]:
    if chip.dram.nodes == "edges":
        return
    last = chip.mesh.columns * chip.mesh.rows - 1
    outside = [node for node in chip.dram.nodes if not 0 <= node <= last]
    if outside:
        yield f"dram.nodes: node {outside[0]} is not on the mesh; its nodes are 0 to {last}"
    if len(chip.dram.nodes) != chip.dram.channels:
        yield (
            f"dram.nodes: expected one node for each of dram.channels ({chip.dram.channels}), "
            f'got {len(chip.dram.nodes)}; list them all, or write "edges"'
        )


def _queues(dram: Dram) -> Iterator[str]:
    if not dram.write_low < dram.write_high <= dram.write_queue:
        yield (
            "dram.write_high: expected dram.write_low < dram.write_high <= dram.write_queue, got "
            f"{dram.write_low}, {dram.write_high}, {dram.write_queue}"
        )


def _power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
