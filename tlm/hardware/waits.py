"""The wait-for graph of a chip that is stuck: engines, completions, DMAs, buffers, DRAM channels.

Nothing of it is kept while a run goes well. It is read off the stopped model: what an engine
waits for, which engines have yet to count towards a completion, where the transactions of a DMA
are. A transaction that is nowhere has been lost, and a completion that nobody is going to count
towards has been announced too often; both end a chain of the graph by saying so.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.kernel import Transaction
from tlm.kernel.wait_graph import WaitGraph
from tlm.space.tile import Tile

ON_ITS_WAY = "events still to come"
NOBODY = "nobody: no tile left counts towards it"


def wait_graph(chip: Chip) -> WaitGraph:
    """Who waits for whom in a chip whose run has stopped before its end."""
    graph = WaitGraph()
    labels = {id(done): f'"{done.label}"' for done in chip.completions}
    for engine in chip.engines:
        done = engine.waits_for
        if done is not None:
            graph.wait(engine.path, labels.get(id(done), engine.dma.socket.name))
    _completions(chip, graph)
    _transactions(chip, graph)
    for waiter, awaited in chip.network.waits():
        graph.wait(waiter, awaited)
    return graph


def _completions(chip: Chip, graph: WaitGraph) -> None:
    """From each completion that somebody waits for to the engines and DMAs it lacks."""
    awaited = {
        ident: f'"{done.label}"'
        for ident, done in enumerate(chip.completions)
        if done.awaited and done.remaining
    }
    for engine in chip.engines:
        for index, tile in enumerate(engine.tiles):
            ahead = index >= engine.position
            for ident in _counted_by(tile, signals=ahead):
                if ident in awaited and (ahead or engine.dma.outstanding):
                    graph.wait(awaited[ident], engine.path if ahead else engine.dma.socket.name)
    for name in awaited.values():
        if name not in graph.edges:
            graph.wait(name, NOBODY)


def _counted_by(tile: Tile, signals: bool) -> Iterator[int]:
    """The completions a tile counts towards, by its messages and writes, and by ``signals``."""
    if signals:
        yield from tile.signals
    yield from tile.saves
    for message in tile.messages:
        yield from message.arrives


def _transactions(chip: Chip, graph: WaitGraph) -> None:
    """From each DMA with transactions in flight to where they are, or to their loss."""
    places: dict[int, list[str]] = {id(engine): [] for engine in chip.engines}
    owner = {id(engine.dma): engine for engine in chip.engines}
    located: set[int] = set()
    for place, txn in _located(chip):
        if id(txn) not in located:
            located.add(id(txn))
            places[id(owner[id(txn.job.dma)])].append(place)
    for engine in chip.engines:
        where = places[id(engine)]
        for place in dict.fromkeys(where):
            graph.wait(engine.dma.socket.name, place)
        lost = engine.dma.outstanding - len(where)
        if lost > 0:
            graph.wait(engine.dma.socket.name, f"{lost} transactions that are nowhere: lost")


def _located(chip: Chip) -> Iterator[tuple[str, Transaction]]:
    """Every transaction that can be found, with the name of the place."""
    yield from chip.network.held()
    for channel in chip.controllers:
        for txn in channel.held():
            yield channel.name, txn
    for txn in chip.env.transactions():
        yield ON_ITS_WAY, txn
