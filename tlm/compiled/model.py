"""The classes of the compiled kernel; importing this module fails where it has not been built."""

from __future__ import annotations

from tlm.compiled.dma import Dma, Idents, MemoryPort
from tlm.compiled.dram import DramChannel, IdealDram
from tlm.compiled.engine import Engine
from tlm.compiled.environment import CompiledEnvironment
from tlm.compiled.packet_mesh import PacketNetwork
from tlm.compiled.router_network import RouterNetwork
from tlm.compiled.server import Done
from tlm.compiled.traffic import TrafficTable
from tlm.hardware.model import ChipModel

COMPILED = ChipModel(
    name="compiled",
    environment=CompiledEnvironment,
    completion=Done,
    packet_network=PacketNetwork,
    router_network=RouterNetwork,
    memory_port=MemoryPort,
    channel=DramChannel,
    ideal_dram=IdealDram,
    dma=Dma,
    engine=Engine,
    idents=Idents,
    traffic=TrafficTable,
)
