"""Writes every packet that a job's engines move: ``... packets JOB FILE [KEY=VALUE ...]``.

The file holds numbers alone, as benchmarks/systemc/skeleton.cpp reads them: the chip, then engine
by engine its tiles, each with cycles, reads and writes as (channel, bytes), messages as (core,
bytes).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from tlm.running.preparation import PreparedRun, prepare
from tlm.running.request import RunRequest
from tlm.space.packets import AddressSplit, PacketFormat
from tlm.space.tile import Tile


def numbers(run: PreparedRun) -> Iterator[Iterable[float]]:
    """Lines of the file."""
    config, timing = run.chip.config, run.timing
    split = AddressSplit.of(config.dram, config.noc, timing.burst_bytes)
    packets = PacketFormat.of(config.noc)
    yield (config.mesh.columns, config.mesh.rows, config.cores, config.dram.channels,
           config.core.outstanding, config.noc.router_stages, packets.flit, packets.header,
           config.noc.period_ps, config.core.period_ps, config.dram.latency,
           timing.peak_bytes_per_ps * 1000)  # fmt: skip
    yield config.dram_nodes
    for core, engines in enumerate(run.program.tiles):
        for tiles in engines.values():
            yield core, len(tiles)
            yield from (_tile(tile, split, packets) for tile in tiles)


def _tile(tile: Tile, split: AddressSplit, packets: PacketFormat) -> list[int]:
    numbers = [tile.cycles]
    for extents in (tile.reads, tile.writes):
        pieces = [piece for extent in extents for piece in split.pieces(extent)]
        numbers += [len(pieces), *(n for channel, _, nbytes in pieces for n in (channel, nbytes))]
    sent = [(message.core, nbytes) for message in tile.messages
            for nbytes in packets.payloads(message.nbytes)]  # fmt: skip
    return [*numbers, len(sent), *(n for pair in sent for n in pair)]


def main(job: str, file: str, *overrides: str) -> None:
    """Build the job's program and write it down."""
    run = prepare(RunRequest(job, overrides=overrides))
    with open(file, "w", encoding="ascii") as stream:
        stream.writelines(" ".join(map(str, line)) + "\n" for line in numbers(run))


if __name__ == "__main__":
    main(*sys.argv[1:])
