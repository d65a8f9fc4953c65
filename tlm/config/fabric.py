"""What joins the cores: the mesh, the network on chip, and the DRAM channels on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from tlm.config.core import period_ps
from tlm.config.quantities import Bits, Bytes, Count, DelayCycles, Hertz, Latency, Section


class Mesh(Section):
    """A mesh of ``columns x rows`` nodes; node ``y * columns + x``, row 0 in the north."""

    columns: Count
    rows: Count

    def edge_middles(self) -> tuple[int, int, int, int]:
        """The nodes in the middle of the north, east, south and west edge."""
        x, y = self.columns // 2, self.rows // 2
        south = (self.rows - 1) * self.columns
        return x, y * self.columns + self.columns - 1, south + x, y * self.columns


class Noc(Section):
    """The network on chip: ``clock`` in Hz, ``link`` in bits per cycle, packet sizes in bytes.

    ``synchroniser`` is the number of edges of the receiving clock that a packet waits for where
    it passes from one clock domain into another: between a core, the network and a DRAM channel.

    ``vcs`` (virtual channels of an input), ``vc_buffer`` (flits of each) and ``routing`` belong to
    the router model; the other models have unbounded buffers and route XY.
    """

    model: Literal["ideal", "packet", "router"]
    clock: Hertz
    link: Bits
    router_stages: Count
    synchroniser: DelayCycles
    vcs: Count
    vc_buffer: Count
    routing: Literal["xy", "yx", "west-first"]
    payload: Bytes
    header: Bytes

    @property
    def period_ps(self) -> int:
        """The clock's period in ps, rounded; the rounding is checked when a chip is loaded."""
        return period_ps(self.clock)


def _nodes(value: object) -> object:
    if value == "edges":
        return value
    items = value if isinstance(value, list | tuple) else ()
    if not items or not all(type(item) is int for item in items):
        raise ValueError(
            f'expected "edges" or a list of node numbers (such as [2, 17]), got {value!r}'
        )
    return tuple(items)


class Dram(Section):
    """The DRAM channels: ``bus`` in bits, ``interleave`` in bytes, ``latency`` in ps.

    ``nodes`` says at which mesh nodes the channels attach: one node per channel, or ``edges``, the
    middles of the four edges in turn. ``latency`` is that of the ideal model only.
    ``energy``: the DRAM's energies come from the energy table (``table``), by the bit from the
    device's file (``device``), or from its supply currents (``currents``); ``auto`` takes the
    table's for the devices that it means, and the device's own for any other.
    """

    model: Literal["ideal", "controller"]
    device: str
    channels: Count
    bus: Bits
    nodes: Annotated[tuple[int, ...] | Literal["edges"], BeforeValidator(_nodes)]
    interleave: Bytes
    read_queue: Count
    write_queue: Count
    write_high: Count
    write_low: Count
    policy: Literal["ready-first", "hits-first"] = "ready-first"
    page: Literal["open", "closed"]
    latency: Latency
    energy: Literal["auto", "table", "device", "currents"]
