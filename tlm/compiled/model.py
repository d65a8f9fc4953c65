"""The classes of the compiled kernel, where it has been built."""

from __future__ import annotations

from tlm.compiled.dma import Dma, Idents, MemoryPort
from tlm.compiled.engine import Engine
from tlm.compiled.environment import CompiledEnvironment
from tlm.compiled.packet_mesh import PacketNetwork
from tlm.compiled.server import Done
from tlm.compiled.tmpideal import IdealDram
from tlm.hardware.model import Model

COMPILED = Model(
    "compiled", CompiledEnvironment, Done, PacketNetwork, PacketNetwork, MemoryPort, IdealDram, IdealDram,
    Dma, Engine, Idents, dict,
)  # fmt: skip
