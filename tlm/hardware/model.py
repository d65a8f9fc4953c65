"""What a chip is built of: the classes of one kernel, that of SimPy or the compiled one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlm.hardware.core.dma import Dma, Traffic
from tlm.hardware.core.engine import Engine
from tlm.hardware.core.memory_port import MemoryPort
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.ideal import IdealDram
from tlm.hardware.noc.network import ChipNetwork
from tlm.hardware.noc.packet_mesh import PacketNetwork
from tlm.hardware.noc.router.network import RouterNetwork
from tlm.kernel import Done, Environment


@dataclass(frozen=True)
class ChipModel:
    """The classes of a kernel; each of them is called as the class of SimPy's model is.

    Whichever a chip is built of, it does the same: the same events in the same order.
    """

    name: str
    environment: Callable[[], Environment]
    completion: type[Done]
    packet_network: Callable[..., ChipNetwork]
    router_network: Callable[..., ChipNetwork]
    memory_port: Callable[..., Any]
    channel: type[DramChannel]
    ideal_dram: type[IdealDram]
    dma: type[Dma]
    engine: type[Engine]
    idents: Callable[[], Any]
    traffic: Callable[[], dict[tuple[int, int], Traffic]]


def _traffic() -> dict[tuple[int, int], Traffic]:
    return defaultdict(Traffic)


SIMPY = ChipModel(
    name="simpy",
    environment=Environment,
    completion=Done,
    packet_network=PacketNetwork,
    router_network=RouterNetwork,
    memory_port=MemoryPort,
    channel=DramChannel,
    ideal_dram=IdealDram,
    dma=Dma,
    engine=Engine,
    idents=itertools.count,
    traffic=_traffic,
)
