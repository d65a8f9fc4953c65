"""Weight buffers: what is written there came from DRAM, or from the memory that stages weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlm.config.core import EngineConfig
from tlm.laws.check import Check
from tlm.laws.due import Due, WeightsDue
from tlm.space.phase import Phase
from tlm.space.ports import MEMORY_PORT_BITS
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile

USERS = (Phase.FP, Phase.RECOMPUTE, Phase.BP)
BYTE = 8


@dataclass(frozen=True, slots=True)
class _Moved:
    """Weights of a layer in an engine, in bits: fetched, staged, written, and pieces.

    Each piece (a run in DRAM, an access count of a tile) may be rounded up.
    """

    fetched: int
    runs: int
    stage_reads: int
    stage_writes: int
    writes: int
    tiles: int
    used: bool  # by any (sample, step) that is not skipped


def weight_buffers(program: Program, due: Due) -> Iterator[Check]:
    """Writes of the buffer are what was fetched and read from the stage, by core and layer."""
    wrong = []
    width = due.job.chip.precision.weight
    for core, engines in enumerate(program.tiles):
        for engine in ("fp", "bp"):
            users = defaultdict[int, list[Tile]](list)
            for tile in engines[engine]:
                if tile.phase in USERS:
                    users[tile.layer].append(tile)
            for layer, tiles in users.items():
                weights = due.weights[core, engine, layer]
                moved = _moved(engine, tiles, weights.at, width)
                if fault := _fault(moved, weights, _copies(due, engine), width):
                    wrong.append(f"core{core:02d} {engine} layer {layer}: {fault}")
    yield Check("weights in their buffers", not wrong, f"{wrong[:3]}")


def _moved(
    engine: str, tiles: Sequence[Tile], places: Sequence[Extent], weight_bits: int
) -> _Moved:
    """What tiles of an engine move of their layer's weights, which lie at ``places``."""
    runs = [
        length
        for first, nbytes in places
        for tile in tiles
        for start, length in tile.reads
        if first <= start < first + nbytes
    ]
    charged = [tile.work.energy for tile in tiles]
    read, put, written = (
        sum(energy[action] for energy in charged if action in energy)
        for action in (f"{engine}.stage_read", f"{engine}.stage_write", f"{engine}.weight_write")
    )
    return _Moved(
        fetched=BYTE * sum(runs),
        runs=len(runs),
        stage_reads=read * MEMORY_PORT_BITS,
        stage_writes=put * MEMORY_PORT_BITS,
        writes=written * weight_bits,
        tiles=len(tiles),
        used=any(True for tile in tiles for _ in tile.pairs()),
    )


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
