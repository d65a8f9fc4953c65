"""Weight buffers: what is written there came from DRAM, or from the memory that stages weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlm.config.core import EngineConfig
from tlm.laws.check import Check
from tlm.laws.due import Due, WeightsDue
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.ports import MEMORY_PORT_BITS
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile

USERS = (Phase.FP, Phase.RECOMPUTE, Phase.BP)
BYTE = 8


@dataclass(slots=True)
class _Moved:
    """Weights of a layer in an engine, in bits: fetched, staged, written, and pieces.

    Each piece (a run in DRAM, an access count of a tile) may be rounded up.
    """

    fetched: int = 0
    runs: int = 0
    stage_reads: int = 0
    stage_writes: int = 0
    writes: int = 0
    tiles: int = 0
    used: bool = False  # by any (sample, step) that is not skipped


def weight_buffers(program: Program, due: Due) -> Iterator[Check]:
    """Writes of the buffer are what was fetched and read from the stage, by core and layer."""
    wrong = []
    for core, engines in enumerate(program.tiles):
        moved: dict[tuple[str, int], _Moved] = {}
        for tile in (tile for name in ("fp", "bp") for tile in engines[name]):
            if tile.phase in USERS:
                key = ENGINE_OF_PHASE[tile.phase], tile.layer
                places = due.weights[core, ENGINE_OF_PHASE[tile.phase], tile.layer].at
                _add(moved.setdefault(key, _Moved()), tile, places, due)
        for (engine, layer), bits in moved.items():
            weights, width = due.weights[core, engine, layer], due.job.chip.precision.weight
            if fault := _fault(bits, weights, _copies(due, engine), width):
                wrong.append(f"core{core:02d} {engine} layer {layer}: {fault}")
    yield Check("weights in their buffers", not wrong, f"{wrong[:3]}")


def _add(moved: _Moved, tile: Tile, places: Sequence[Extent], due: Due) -> None:
    """Count a tile's runs of its layer's weights, which lie at ``places``, and its accesses."""
    engine, energy = ENGINE_OF_PHASE[tile.phase], tile.work.energy
    for start, length in tile.reads:
        if any(first <= start < first + nbytes for first, nbytes in places):
            moved.fetched += BYTE * length
            moved.runs += 1
    moved.tiles += 1
    moved.used = moved.used or any(True for _ in tile.pairs())
    moved.stage_reads += energy.get(f"{engine}.stage_read", 0) * MEMORY_PORT_BITS
    moved.stage_writes += energy.get(f"{engine}.stage_write", 0) * MEMORY_PORT_BITS
    moved.writes += energy.get(f"{engine}.weight_write", 0) * due.job.chip.precision.weight


def _copies(due: Due, name: str) -> int:
    """Buffers with the same weights: one, or one a lane where lanes walk weights on their own."""
    engine: EngineConfig = getattr(due.job.chip.core.engines, name)
    if engine.mode != "element" or engine.dataflow == "weight":
        return 1
    return engine.cols if engine.dataflow == "input" else engine.rows


def _fault(moved: _Moved, due: WeightsDue, copies: int, weight_bits: int) -> str:
    """What does not add up."""
    rounded = moved.runs * (BYTE - 1) * (weight_bits % BYTE > 0)
    spare = rounded + moved.tiles * (MEMORY_PORT_BITS - 1) * (moved.stage_reads > 0)
    came, went = moved.fetched + moved.stage_reads, moved.writes // copies
    if not came - spare <= went <= came:
        return f"{went} bit written, {came} came"
    most = moved.fetched + moved.tiles * (MEMORY_PORT_BITS - 1)
    if due.stays:
        short = moved.used and moved.stage_reads < due.nbytes * BYTE
        if not short and not moved.stage_writes:
            return ""
        read, put = moved.stage_reads, moved.stage_writes
        return f"of {due.nbytes} B that stay {read} bit are read, {put} bit put there"
    if moved.stage_writes > most or bool(moved.stage_reads) > bool(moved.stage_writes):
        return f"{moved.stage_writes} bit staged of {moved.fetched}, {moved.stage_reads} read there"
    return ""
