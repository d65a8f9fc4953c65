"""What it takes to simulate a run: estimated before it begins, and measured when it is over."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.running.memory import LIBRARY_BYTES, resident_bytes
from tlm.space.mesh_routes import distance
from tlm.space.program import Program
from tlm.space.tile import Tile
from tlm.trace.limits import TraceLimits
from tlm.trace.schema import ACTIVITY_DTYPE, CHUNK_ROWS, TRANSACTION_DTYPE
from tlm.workload.file.layout import expected_bits
from tlm.workload.model import Workload

# Measured on the bundled jobs (one core of a 2-core x86 machine, Python 3.11), rounded up.
ACTIVITY_ROWS_PER_TILE = 2.0  # 1.4 to 2.0
# Of a transaction, as (alone, for each hop between its core and the DRAM channels), of a message as
# (alone, for each hop between its cores).
EVENTS_OF_TRANSACTION = {"ideal": (5.2, 1.7), "packet": (5.2, 1.7), "router": (5.0, 0.0)}
EVENTS_OF_MESSAGE = {"ideal": (2.0, 1.0), "packet": (2.0, 1.0), "router": (5.0, 0.0)}
ROUTED, PLAIN = "router", "packet"  # the mesh ``ideal`` takes what ``packet`` takes
US_OF_SIMULATION = {  # of a transaction with DRAM, of a packet's way over a link, of a tile
    ("simpy", PLAIN): (28.0, 2.2, 26.0),
    ("simpy", ROUTED): (84.0, 14.5, 144.0),
    ("compiled", PLAIN): (0.32, 0.28, 8.0),
    ("compiled", ROUTED): (1.9, 0.95, 8.0),
}
US_OF_ROW = {"simpy": 1.5, "compiled": 0.2}  # of a trace
NODE_BYTES = {"ideal": 6_000, "packet": 6_000, "router": 36_000}
CORE_BYTES = 10_000
TRACE_BYTES_PER_ROW = 18.0  # after shuffle and gzip
TRACE_BYTES_AT_LEAST = 30_000
LOADING_BYTES_PER_ELEMENT = 2  # packed and unpacked, side by side
MODEL_BYTES = 12 << 20  # controllers, transactions in flight, libraries loaded late
ROW_OBJECT_BYTES = 40  # a number in a row that waits to be written, with its place in the tuple


@dataclass(frozen=True, slots=True)
class RunCost:
    """``transactions`` is exact; events, wall time, trace size and memory are estimates.

    ``wall_s`` is that of the simulation alone on one idle core: right within 40 % for bundled jobs
    and within a factor of two for S-ResNet18; other machines differ.
    """

    transactions: int
    events: int
    wall_s: float
    trace_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class SimulationCost:
    """What the simulation took on this machine: for the manifest, never for the summary.

    Wall and processor time of the simulation alone, and the wall time from loading to the last
    check. ``trace_truncated`` is ``disk-full`` or ``budget`` if the trace ends before the run;
    ``kernel`` is what it ran on.
    """

    events: int
    transactions: int
    events_per_transaction: float
    simulation_wall_s: float
    simulation_cpu_s: float
    transactions_per_s: float
    total_wall_s: float
    peak_rss_mib: float
    trace_truncated: str | None
    kernel: str = "simpy"


def loading_bytes(workload: Workload, number: int) -> int:
    """Memory below which the masks of an iteration cannot be loaded, known from the header."""
    elements = sum(math.prod(bits.shape) for bits in expected_bits(workload, number).values())
    return LIBRARY_BYTES + LOADING_BYTES_PER_ELEMENT * elements


def chip_bytes(chip: ChipConfig) -> int:
    """Memory of the chip alone: nodes of its mesh, whether they have a core or not, and cores."""
    nodes = chip.mesh.columns * chip.mesh.rows
    return NODE_BYTES[chip.noc.model] * nodes + CORE_BYTES * chip.cores


def estimate(
    program: Program, chip: ChipConfig, trace: str, limits: TraceLimits, kernel: str
) -> RunCost:
    """What it will cost to simulate ``program``, at a trace level and with limits to the trace.

    ``kernel`` is the name of the kernel that will simulate it.
    """
    of_core = [[tile for tiles in engines.values() for tile in tiles] for engines in program.tiles]
    tiles = sum(map(len, of_core))
    to_dram, to_cores = _Packets(), _Packets()
    for core, program_of_core in enumerate(of_core):
        _count(program_of_core, chip, core, (to_dram, to_cores))
    rows = {
        "off": 0,
        "phase": round(ACTIVITY_ROWS_PER_TILE * tiles),
        "transaction": round(ACTIVITY_ROWS_PER_TILE * tiles) + to_dram.count + to_cores.count,
    }[trace]
    trace_bytes = round(TRACE_BYTES_PER_ROW * rows) + TRACE_BYTES_AT_LEAST if rows else 0
    columns = max(len(dtype.names or ()) for dtype in (TRANSACTION_DTYPE, ACTIVITY_DTYPE))
    waiting = ROW_OBJECT_BYTES * columns * min(rows, CHUNK_ROWS)
    events = to_dram.events(EVENTS_OF_TRANSACTION[chip.noc.model])
    events += to_cores.events(EVENTS_OF_MESSAGE[chip.noc.model])
    mesh = ROUTED if chip.noc.model == ROUTED else PLAIN
    amounts = (to_dram.count, to_dram.hops + to_cores.hops, tiles)
    us = sum(map(operator.mul, US_OF_SIMULATION[kernel, mesh], amounts)) + US_OF_ROW[kernel] * rows
    return RunCost(
        transactions=to_dram.count + to_cores.count,
        events=round(events),
        wall_s=us / 1e6,
        trace_bytes=min(trace_bytes, limits.budget_bytes or trace_bytes),
        memory_bytes=resident_bytes() + chip_bytes(chip) + MODEL_BYTES + waiting,
    )


@dataclass(slots=True)
class _Packets:
    """Packets of a kind, and the links that they cross."""

    count: int = 0
    hops: float = 0.0

    def add(self, count: int, far: float) -> None:
        """More packets, over so many links each."""
        self.count += count
        self.hops += count * far

    def events(self, each: tuple[float, float]) -> float:
        """Events of the kernel, by those of a packet alone and of a hop."""
        return each[0] * self.count + each[1] * self.hops


def _count(
    tiles: Sequence[Tile], chip: ChipConfig, core: int, kinds: tuple[_Packets, _Packets]
) -> None:
    """Count the packets of a core's tiles to DRAM and to other cores.

    Runs are cut at payload boundaries and lie over all DRAM channels; messages are cut to size.
    """
    payload, nodes, (to_dram, to_cores) = chip.noc.payload, chip.dram_nodes, kinds
    far = sum(distance(chip.mesh.columns, core, node) for node in nodes) / len(nodes)
    pieces = (
        (start + nbytes - 1) // payload - start // payload + 1
        for tile in tiles
        for runs in (tile.reads, tile.writes)
        for start, nbytes in runs
        if nbytes
    )
    to_dram.add(sum(pieces), far)
    sent: dict[int, int] = {}
    for tile in tiles:
        for message in tile.messages:
            packets = max(1, -(-message.nbytes // payload))
            sent[message.core] = sent.get(message.core, 0) + packets
    for other, packets in sent.items():
        to_cores.add(packets, distance(chip.mesh.columns, core, other))
