"""Message sizes: every message has the bytes that its data take in the format they travel in.

Spikes of FP and dX of BP in the blocks that :mod:`tlm.laws.samples` chooses, dY in two tiles of the
same slices; of the loss and of batch statistics all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.nests import Nest
from tlm.laws.due.payloads import (
    Payload,
    gradient_payloads,
    loss_payloads,
    shared_payloads,
    spike_payloads,
    statistics_payloads,
)
from tlm.laws.samples import Sample
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.space.phase import BATCH, ENGINE_OF_PHASE, Phase
from tlm.space.region import Slice, Span, length
from tlm.space.tile import Tile

Payloads = Counter[Payload]
STATISTICS = (Phase.NORM, Phase.NORM_GRAD)
NO_ROWS = np.zeros(0, np.int64)


def message_sizes(table: TileTable, blocks: Sequence[Sample], due: Due) -> Iterator[Check]:
    """What is sent is what is due, message by message."""
    looked_at, wrong = 0, list[str]()
    for name, sent, asked in (*_by_block(blocks, due.job), *_by_unit(table, due.job)):
        looked_at += sum(sent.values())
        if sent != asked:
            wrong.append(
                f"{name}: {list((sent - asked) or -asked)[:2]}, due {list(asked - sent)[:2]}"
            )
    yield Check("message sizes", not wrong, f"{looked_at} looked at; {wrong[:3]}")


def _by_block(blocks: Sequence[Sample], job: Facts) -> Iterator[tuple[str, Payloads, Payloads]]:
    """(What, messages of some blocks, messages due) of FP and BP."""
    for nest, tiles in blocks:
        layer = nest.facts.layer
        if nest.phase == Phase.FP and (nest.facts.exact or layer.current_pool is not None):
            continue  # its neurons come later
        rule = {Phase.FP: spike_payloads, Phase.BP: gradient_payloads}.get(nest.phase)
        if rule is None or nest.engine(job).dataflow != "weight":
            continue
        asked = Payloads(rule(job, nest, list(_panel_spans(job, nest))))
        yield (
            layer_name(nest.phase, layer.index),
            _sent(tiles),
            _travelling(asked, nest.part.core),
        )


def _panel_spans(job: Facts, nest: Nest) -> Iterator[Span]:
    """The channels of every panel of a nest."""
    size = nest.engine(job).cols
    for _, columns in nest.channels:
        for first in range(*columns, size):
            yield first, min(first + size, columns[1])


def _by_unit(table: TileTable, job: Facts) -> Iterator[tuple[str, Payloads, Payloads]]:
    """(What, messages, messages due) of loss, gradient unit and batch statistics."""
    for row in np.flatnonzero(table.of([Phase.LOSS], ["bp"])).tolist():
        tile, (core, _) = table.tiles[row], table.engines[table["engine"][row]]
        due = Payloads(loss_payloads(job, job.layers[tile.layer], tile.sample))
        yield "loss", _sent([tile]), _travelling(due, core)
    of_batch = table.of(STATISTICS) & (table["sample"] == BATCH)
    exchanges = table.groups(of_batch, "engine", "phase", "layer")
    for facts in job.layers:
        name = facts.layer.name
        part = facts.slices[facts.index % len(facts.slices)]
        for tile, rows in _gradient_tiles(table, facts, part) if facts.dY_sent else ():
            samples = (tile.sample, tile.sample + tile.samples)
            due = Payloads(shared_payloads(job, facts, part, samples, rows))
            yield f"dY of {name}", _sent([tile]), _travelling(due, part.core)
        if facts.exact:
            for phase in STATISTICS:
                exchanged = list(statistics_payloads(job, facts, phase))
                for number, (core, engine) in enumerate(table.engines):
                    if engine == ENGINE_OF_PHASE[phase]:
                        some = exchanges.get((number, phase, facts.index), NO_ROWS)
                        due = Payloads(to for source, to in exchanged if source == core)
                        sent = _sent([table.tiles[row] for row in some.tolist()])
                        yield f"statistics of {name}", sent, _travelling(due, core)


def _gradient_tiles(
    table: TileTable, facts: LayerFacts, part: Slice
) -> Iterator[tuple[Tile, Span]]:
    """The first and the last tile of a slice that makes dY, with its rows: the upper, the lower."""
    made = table.select(part.core, facts.dY_phase, facts.index)
    tiles = [tile for tile in made if tile.sample != BATCH]
    first, end = part.neurons.rows
    row = length(part.neurons.channels) * facts.layer.product_shape[2]
    for tile in tiles[:1]:
        yield tile, (first, first + tile.covers // row)
    for tile in tiles[1:][-1:]:
        yield tile, (end - tile.covers // row, end)


def _sent(tiles: list[Tile]) -> Payloads:
    return Payloads((message.core, message.nbytes) for tile in tiles for message in tile.messages)


def _travelling(payloads: Payloads, core: int) -> Payloads:
    """Those that leave a core."""
    return Payloads({to: count for to, count in payloads.items() if to[0] != core})
