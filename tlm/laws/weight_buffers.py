"""Weight buffers: what is written there came from DRAM, or from the memory that stages weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlm.config.core import EngineConfig
from tlm.hardware.core.engine import Engine
from tlm.laws.check import Check
from tlm.laws.due import Due, WeightsDue
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_fetches import USERS, weight_places
from tlm.space.ports import MEMORY_PORT_BITS

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


def weight_buffers(table: TileTable, engines: Sequence[Engine], due: Due) -> Iterator[Check]:
    """Writes of the buffer are what was fetched and read from the stage, by core and layer.

    Bytes by the tiles, accesses by what the engines have counted.
    """
    wrong, width = [], due.job.chip.precision.weight
    uses = table.of(USERS, ("fp", "bp"))
    runs = table.reads_of(uses, weight_places(table, due))
    counts = np.bincount(runs.tile, None, len(table.tiles))
    nbytes = np.bincount(runs.tile, runs.nbytes, len(table.tiles))
    for (number, layer), rows in table.groups(uses, "engine", "layer").items():
        core, name = table.engines[number]
        if (core, name, layer) not in due.weights:  # a matmul's: see held_operands.py
            continue
        charged = _charged(engines[number], layer)
        moved = _Moved(
            fetched=BYTE * int(nbytes[rows].sum()),
            runs=int(counts[rows].sum()),
            stage_reads=charged[f"{name}.stage_read"] * MEMORY_PORT_BITS,
            stage_writes=charged[f"{name}.stage_write"] * MEMORY_PORT_BITS,
            writes=charged[f"{name}.weight_write"] * width,
            tiles=len(rows),
            used=bool(table.works[rows].any()),
        )
        weights = due.weights[core, name, layer]
        if fault := _fault(moved, weights, buffer_copies(due, name), width):
            wrong.append(f"core{core:02d} {name} layer {layer}: {fault}")
    yield Check("weights in their buffers", not wrong, f"{wrong[:3]}")


def _charged(engine: Engine, layer: int) -> Counter[str]:
    """How often an engine did each action for the users of a layer's weights."""
    charged = Counter[str]()
    for phase in USERS:
        if (phase, layer) in engine.tallies:
            charged.update(engine.tallies[phase, layer].work.energy)
    return charged


def buffer_copies(due: Due, name: str) -> int:
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
