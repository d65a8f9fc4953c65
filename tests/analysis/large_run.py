"""A run folder with a trace of many transactions, written as a run writes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tlm.hardware.chip import unit_names
from tlm.running.runner import RunResult
from tlm.trace import EngineState, TraceWriter, schema

PERIOD_PS = 1_000
TILE = 64  # transactions of a tile


def large_run(pattern: RunResult, folder: Path, transactions: int) -> Path:
    """Copy a finished run and put in place of its trace one of many transactions.

    Each engine in turn waits for a tile's reads and writes, then computes; the times are made up,
    the units, phases and layers are those of the chip.
    """
    shutil.copytree(pattern.folder, folder, ignore=shutil.ignore_patterns("trace.h5"))
    units = unit_names(pattern.chip.config)
    attrs = dict.fromkeys(schema.RUN_ATTRIBUTES, "synthetic")
    writer = TraceWriter(folder / schema.FILE_NAME, "transaction", attrs, "name: chip\n", units)
    engines = [i for i, (_, kind) in enumerate(units) if kind != "dram"]
    now = dict.fromkeys(engines, 0)
    for tile in range(transactions // TILE):
        engine = engines[tile % len(engines)]
        now[engine] = _tile(writer, tile, engine, now[engine], units)
        writer.flush_if_due()
    end = max(now.values())
    for engine, at in now.items():
        if at < end:
            writer.activity.append((engine, at, end, EngineState.IDLE, 255, -1, -1, 0, -1, 0, -1))
    writer.close(complete=True)
    summary = json.loads((folder / "summary.json").read_text())
    summary["time"]["makespan_ps"] = end
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def _tile(
    writer: TraceWriter, tile: int, engine: int, now: int, units: list[tuple[str, str]]
) -> int:
    channels = sum(kind == "dram" for _, kind in units)
    phase = {"fp": 0, "bp": 3, "wg": 4}[units[engine][1]]
    layer = tile % 3
    for i in range(TILE):
        begin = now + i * PERIOD_PS
        taken, answered = begin + 20_000 + 97 * (i % 7), begin + 60_000 + 1009 * (tile % 13)
        end = answered + 30_000
        channel = len(units) - channels + (tile + i) % channels
        ident = tile * TILE + i
        writer.transactions.append(
            (ident, begin, taken, answered, end, engine, channel, int(i % 4 == 3), phase, layer,
             tile % 16, 0, 256, 256 * ident)
        )  # fmt: skip
    stop = end + PERIOD_PS * (tile % 5)
    writer.activity.append(
        (engine, now, end, EngineState.STALL_DRAM, phase, layer, 0, 1, 0, 1, tile)
    )
    if stop > end:
        writer.activity.append(
            (engine, end, stop, EngineState.COMPUTE, phase, layer, 0, 1, 0, 1, tile)
        )
    return stop
