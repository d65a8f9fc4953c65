"""What single values cannot show: the checks across the keys of a chip, before time 0.

Every check yields one line ``key: what is wrong and how to mend it`` for each contradiction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlm.config.core import Core, period_ps
from tlm.config.fabric import Dram, Mesh, Noc

ROUTER_STAGES = (2, 3, 4)  # pipelines that the router model knows
MOST_NODES = 1 << 16  # of a mesh: 2.4 GB of routers; a run still ends within hours
_PERIOD_ERROR = 1e-3  # a clock whose period in whole ps is further off than this is refused


def mesh_problems(mesh: Mesh, cores: int) -> Iterator[str]:
    """Whether every core has a node of the mesh, and the mesh can be built."""
    nodes = mesh.columns * mesh.rows
    if nodes > MOST_NODES:
        yield (
            f"mesh.columns: a mesh of {mesh.columns} x {mesh.rows} = {nodes:,} nodes; "
            f"at most {MOST_NODES:,} can be simulated; lower mesh.columns or mesh.rows"
        )
    if cores > nodes:
        yield (
            f"cores: more cores than mesh nodes: {cores} cores on a mesh of "
            f"{mesh.columns} x {mesh.rows} = {nodes} nodes; "
            "lower cores, or raise mesh.columns or mesh.rows"
        )


def clock_problems(core: Core, cores: int) -> Iterator[str]:
    """Whether the periods of the cores are whole ps, and every core has one clock."""
    yield from _period_problems("core.clock", core.clock)
    if len(core.clocks) > cores:
        yield f"core.clocks: {len(core.clocks)} ranges of cores; there are {cores} cores"
        return
    with_domain: set[int] = set()
    for domain in core.clocks:
        yield from _period_problems("core.clocks", domain.clock)
        if not domain.first <= domain.last < cores:
            yield (
                f"core.clocks: {domain.first}-{domain.last} is no range of cores; "
                f"they are 0 to {cores - 1}"
            )
            continue
        for number in range(domain.first, domain.last + 1):
            if number in with_domain:
                yield f"core.clocks: core {number} has two clocks; give it one"
            with_domain.add(number)


def noc_problems(noc: Noc) -> Iterator[str]:
    """Whether the network's clock, links, pipeline and packets are such as its models know."""
    yield from _period_problems("noc.clock", noc.clock)
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


def dram_problems(dram: Dram, mesh: Mesh, noc: Noc) -> Iterator[str]:
    """Whether addresses, nodes and queues of the channels fit each other, mesh and packets."""
    interleave, payload = dram.interleave, noc.payload
    if interleave % payload or not _power_of_two(interleave):
        yield (
            "dram.interleave: expected a power of two and a multiple of noc.payload "
            f"({payload} B), so that no packet spans two channels; got {interleave} B"
        )
    if dram.model == "ideal" and dram.energy == "currents":
        yield (
            "dram.energy: currents price commands, and dram.model=ideal issues none, so that "
            "activates and refreshes would cost nothing; use dram.model=controller, or "
            "dram.energy=auto"
        )
    if dram.nodes != "edges":
        yield from _node_problems(dram.nodes, dram.channels, mesh)
    if not dram.write_low < dram.write_high <= dram.write_queue:
        yield (
            "dram.write_high: expected dram.write_low < dram.write_high <= dram.write_queue, got "
            f"{dram.write_low}, {dram.write_high}, {dram.write_queue}"
        )


def _node_problems(nodes: tuple[int, ...], channels: int, mesh: Mesh) -> Iterator[str]:
    last = mesh.columns * mesh.rows - 1
    outside = [node for node in nodes if not 0 <= node <= last]
    if outside:
        yield f"dram.nodes: node {outside[0]} is not on the mesh; its nodes are 0 to {last}"
    if len(nodes) != channels:
        yield (
            f"dram.nodes: expected one node for each of dram.channels ({channels}), "
            f'got {len(nodes)}; list them all, or write "edges"'
        )


def _period_problems(key: str, clock: int) -> Iterator[str]:
    period = period_ps(clock)
    if period < 1 or abs(period * clock - 10**12) >= _PERIOD_ERROR * 10**12:
        possible = f"{10**6 / max(period, 1):.6g} MHz"
        yield (
            f"{key}: time is counted in whole ps and {clock / 10**6:.6g} MHz is no whole number "
            f'of them to 0.1 %; the nearest clock that is: "{possible}"'
        )


def _power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
