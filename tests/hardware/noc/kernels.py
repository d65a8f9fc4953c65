"""The networks on both kernels: SimPy's, and the compiled one where it has been built."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.hardware.kernels import both, if_built
from tlm.hardware.noc.driver import REFERENCE, Driver
from tlm.hardware.noc.packet_mesh import PacketNetwork
from tlm.hardware.noc.router.fabric import RouterFabric
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.network import RouterNetwork
from tlm.hardware.noc.router.parts import Packet
from tlm.hardware.noc.router.waits import lane_names, lane_waits, packets_by_lane
from tlm.kernel import Environment, Transaction


def lane_states(mesh):
    """(name, free credits, flits buffered, whether taken) of every lane of a router."""
    names = lane_names(mesh)
    return [
        (names[id(lane)], lane.credit, lane.buffered, lane.taken)
        for router in mesh.routers
        for port in router.inputs
        for lane in port.lanes
    ]


class Kernel(NamedTuple):
    """What a network is built and tried with."""

    environment: Callable[[], Any]
    transaction: Callable[..., Any]
    packet_network: Callable[..., Any]
    router_network: Callable[..., Any]
    mesh: Callable[..., Any]
    fabric: Callable[..., Any]
    packet: Callable[..., Any]
    lane_states: Callable[[Any], Any]
    lane_waits: Callable[[Any], Any]
    packets_by_lane: Callable[[Any], Any]
    driver: Driver


SIMPY = Kernel(
    Environment, Transaction, PacketNetwork, RouterNetwork, RouterMesh, RouterFabric, Packet,
    lane_states, lane_waits, packets_by_lane, REFERENCE,
)  # fmt: skip


def _compiled():
    from tlm.compiled import (
        environment,
        packet_mesh,
        router_fabric,
        router_mesh,
        router_network,
        router_parts,
        router_waits,
        server,
    )
    from tlm.compiled.driver import mesh_driver

    return Kernel(
        environment.CompiledEnvironment, server.Transaction, packet_mesh.PacketNetwork,
        router_network.RouterNetwork, router_mesh.RouterMesh, router_fabric.RouterFabric,
        router_parts.Packet, router_waits.lane_states, router_waits.lane_waits,
        router_waits.packets_by_lane,
        mesh_driver(),
    )  # fmt: skip


COMPILED = if_built(_compiled)
KERNELS = both(SIMPY, COMPILED)
