"""What the packets of a router network wait for: flits, credits, virtual channels."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.noc.router.fabric import RouterFabric
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.parts import NO_PACKET, Lane, Packet

READY = "nothing: it may move, and nobody lets it"
ITS_NEXT_FLIT = "its next flit, which is upstream"


def lane_names(mesh: RouterMesh) -> dict[int, str]:
    """The name of every lane, by its identity: the channel that leads to it, and its number."""
    names = {
        id(lane): f"{out.name}.vc{lane.index}"
        for router in mesh.routers
        for out in router.outputs
        for lane in out.lanes
    }
    for source in mesh.sources:
        names |= {id(lane): f"{source.name}.vc{lane.index}" for lane in source.lanes}
    return names


def packets_by_lane(fabric: RouterFabric) -> Iterator[tuple[str, Packet]]:
    """Every packet that waits at a source or lies in a lane, with the name of the place."""
    names = lane_names(fabric.mesh)
    for source in fabric.mesh.sources:
        for packet in source.queue:
            yield source.name, packet
    for lane in _lanes(fabric):
        for packet in [lane.packet, *lane.queue]:
            if packet is not NO_PACKET:
                yield names[id(lane)], packet


def lane_waits(fabric: RouterFabric) -> Iterator[tuple[str, str]]:
    """(lane, what it waits for) for every lane with a packet, and every source with one."""
    names = lane_names(fabric.mesh)
    for source in fabric.mesh.sources:
        entered = source.lanes[source.last]
        if source.left and not entered.credit:
            yield source.name, names[id(entered)]
        elif source.queue and not source.left:
            for lane in source.lanes:
                yield source.name, names[id(lane)]
    for router in fabric.mesh.routers:
        for asker in router.asking:
            for lane in asker.out.lanes:
                yield names[id(asker)], names[id(lane)]
        for bidder in router.bidders:
            yield names[id(bidder)], _awaited(bidder, names)


def _awaited(bidder: Lane, names: dict[int, str]) -> str:
    """What a packet with a lane of its own ahead waits for."""
    down = names[id(bidder.down)]
    if not bidder.buffered:
        return ITS_NEXT_FLIT
    if bidder.down.credit:
        return READY
    if not bidder.down.buffered:
        return lost(down)
    return down


def lost(down: str) -> str:
    """The credits of a lane that holds nothing, and that still has none to give."""
    return f"credits of {down}, which is empty: lost"


def _lanes(fabric: RouterFabric) -> Iterator[Lane]:
    for router in fabric.mesh.routers:
        for port in router.inputs:
            yield from port.lanes
