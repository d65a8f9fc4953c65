"""What it takes to simulate a run: estimated before it begins, and measured when it is over."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.running.memory import resident_bytes
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile
from tlm.trace.limits import TraceLimits
from tlm.trace.schema import ACTIVITY_DTYPE, CHUNK_ROWS, TRANSACTION_DTYPE
from tlm.workload.file.layout import expected_bits
from tlm.workload.model import Workload

# Measured on the bundled jobs (one core of a 2-core x86 machine, Python 3.11), rounded up.
ACTIVITY_ROWS_PER_TILE = 2.0  # 1.4 to 2.0
EVENTS_PER_TRANSACTION = {"ideal": 9.0, "packet": 9.0, "router": 5.0}
US_PER_TRANSACTION = {"ideal": 25.0, "packet": 27.0, "router": 130.0}
TRACE_BYTES_PER_ROW = 16.0  # after shuffle and gzip
TRACE_BYTES_AT_LEAST = 30_000
LIBRARY_BYTES = 64 << 20  # interpreter and libraries
LOADING_BYTES_PER_ELEMENT = 2  # packed and unpacked, side by side
MODEL_BYTES = 32 << 20  # links, controllers, transactions in flight, libraries loaded late
ROW_OBJECT_BYTES = 40  # a number in a row that waits to be written, with its place in the tuple


@dataclass(frozen=True, slots=True)
class RunCost:
    """``transactions`` is exact; events, wall time, trace size and memory are about right."""

    transactions: int
    events: int
    wall_s: float
    trace_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class SimulationCost:
    """What the simulation took on this machine: for the manifest, never for the summary.

    Wall and processor time of the simulation alone, and the wall time from loading to the last
    check. ``trace_truncated`` is ``disk-full`` or ``budget`` if the trace ends before the run.
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


def loading_bytes(workload: Workload, number: int) -> int:
    """Memory below which the masks of an iteration cannot be loaded, known from the header."""
    elements = sum(math.prod(bits.shape) for bits in expected_bits(workload, number).values())
    return LIBRARY_BYTES + LOADING_BYTES_PER_ELEMENT * elements


def estimate(program: Program, chip: ChipConfig, trace: str, limits: TraceLimits) -> RunCost:
    """What it will cost to simulate ``program``, at a trace level and with limits to the trace."""
    tiles = [tile for engines in program.tiles for run in engines.values() for tile in run]
    transactions = sum(_transactions(tile, chip.noc.payload) for tile in tiles)
    rows = {
        "off": 0,
        "phase": round(ACTIVITY_ROWS_PER_TILE * len(tiles)),
        "transaction": round(ACTIVITY_ROWS_PER_TILE * len(tiles)) + transactions,
    }[trace]
    trace_bytes = round(TRACE_BYTES_PER_ROW * rows) + TRACE_BYTES_AT_LEAST if rows else 0
    columns = len(TRANSACTION_DTYPE.names or ()) + len(ACTIVITY_DTYPE.names or ())
    waiting = ROW_OBJECT_BYTES * columns * 2 * CHUNK_ROWS
    return RunCost(
        transactions=transactions,
        events=round(EVENTS_PER_TRANSACTION[chip.noc.model] * transactions),
        wall_s=US_PER_TRANSACTION[chip.noc.model] * transactions / 1e6,
        trace_bytes=min(trace_bytes, limits.budget_bytes or trace_bytes),
        memory_bytes=resident_bytes() + MODEL_BYTES + (waiting if rows else 0),
    )


def _transactions(tile: Tile, payload: int) -> int:
    """Packets of a tile: runs cut at payload boundaries, messages cut to size."""
    count = sum(_pieces(run, payload) for run in tile.reads + tile.writes)
    return count + sum(max(1, -(-message.nbytes // payload)) for message in tile.messages)


def _pieces(run: Extent, payload: int) -> int:
    start, nbytes = run
    return (start + nbytes - 1) // payload - start // payload + 1 if nbytes else 0
