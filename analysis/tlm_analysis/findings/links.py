"""How busy the mesh was: use of every link and port, read from a run's summary."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.trace.summary import Summary

_LINK = re.compile(r"n(\d+)\.(east|west|south|north)$")
_PORT = re.compile(r"(core|dram)(\d+)\.(inject|eject)$")


@dataclass(frozen=True)
class LinkUse:
    """Share of the run that each was busy, 0..1; the busiest where several networks share a name.

    ``links`` by (node, direction), ``ports`` by (``core`` or ``dram``, its number, ``inject`` or
    ``eject``); the mesh is ``columns`` x ``rows``, channel ``i`` at ``dram_nodes[i]``.
    """

    columns: int
    rows: int
    links: dict[tuple[int, str], float]
    ports: dict[tuple[str, int, str], float]
    dram_nodes: tuple[int, ...]


def link_use(summary: Summary, chip: ChipConfig) -> LinkUse:
    """Use of every link and port of the mesh."""
    links: dict[tuple[int, str], float] = {}
    ports: dict[tuple[str, int, str], float] = {}
    span = summary.time.makespan_ps
    for name, flits in summary.noc.link_flits.items():
        use = flits * chip.noc.period_ps / span
        if match := _LINK.search(name):
            link = (int(match[1]), match[2])
            links[link] = max(use, links.get(link, 0.0))
        elif match := _PORT.search(name):
            port = (match[1], int(match[2]), match[3])
            ports[port] = max(use, ports.get(port, 0.0))
    return LinkUse(chip.mesh.columns, chip.mesh.rows, links, ports, chip.dram_nodes)
