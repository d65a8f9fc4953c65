"""Order: what is sent is waited for where it arrives, and comes from all that have to send it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.space.phase import ENGINES
from tlm.space.program import Program
from tlm.space.tile import Tile

RELEASES = ("dY used", "U used")  # of memories that are filled and read by halves
HALVES = 2
# Need not be read; see ``dram_contents``. U of a sample that stops is carried in vain.
IN_DRAM = ("saved", "dX", "dY saved", "dI", "partial dW", "U carried step")
DEPARTURE = "samples done"  # a group of samples has left the chip

Cores = defaultdict[int, set[int]]
Idents = tuple[int, ...]  # of completions


@dataclass(slots=True)
class Parties:
    """The cores at each completion, by its id.

    ``waiters`` have a tile that waits for it, ``senders`` a tile or message that arrives at it,
    ``receivers`` are the cores that those messages go to.
    """

    waiters: Cores = field(default_factory=lambda: defaultdict(set))
    senders: Cores = field(default_factory=lambda: defaultdict(set))
    receivers: Cores = field(default_factory=lambda: defaultdict(set))

    def add(self, core: int, tiles: Iterable[Tile]) -> None:
        """Note what the tiles of a core wait for and arrive at: most of it many times over."""
        # The same tuple is met many times over, and is looked at once.
        awaited, arrived = dict[int, Idents](), dict[int, Idents]()
        sent = dict[tuple[int, int], Idents]()
        for tile in tiles:
            awaited[id(tile.needs)] = tile.needs
            awaited[id(tile.read_needs)] = tile.read_needs
            arrived[id(tile.signals)] = tile.signals
            arrived[id(tile.saves)] = tile.saves
            for message in tile.messages:
                sent[message.core, id(message.arrives)] = message.arrives
        for (receiver, number), idents in sent.items():
            arrived[number] = idents
            for ident in idents:
                self.receivers[ident].add(receiver)
        for parties, tuples in ((self.waiters, awaited), (self.senders, arrived)):
            for ident in set[int]().union(*tuples.values()):
                parties[ident].add(core)


def arrivals(program: Program, due: Due) -> Iterator[Check]:
    """Nothing arrives that no tile waits for, nothing is waited for that never arrives.

    Data that a tile waits for come from every core that has some of them, to the core that waits.
    """
    parties = Parties()
    for core, engines in enumerate(program.tiles):
        for tiles in engines.values():
            parties.add(core, tiles)
    labels, counts = program.completions.labels, program.completions.counts
    unheard = _unheard(labels, parties.senders, parties.waiters)
    yield Check("what arrives is waited for", not unheard, f"{unheard[:3]}")
    never = [labels[ident] for ident in parties.waiters if not counts[ident]]
    never = [label for label in never if due.senders.get(label) != frozenset()]
    yield Check("what is waited for arrives", not never, f"{never[:3]}")
    strays = [
        labels[ident]
        for ident, cores in parties.receivers.items()
        if not cores <= parties.waiters.get(ident, set())
    ]
    yield Check("messages go to who waits", not strays, f"{strays[:3]}")
    senders = {labels[ident]: cores for ident, cores in parties.senders.items()}
    short = [
        f"{label}: from cores {sorted(senders.get(label, ()))}, due {sorted(cores)}"
        for label, cores in due.senders.items()
        if senders.get(label, set()) != cores
    ]
    yield Check("data come from all who have them", not short, f"{short[:3]}")


def _unheard(labels: list[str], arrived: Iterable[int], waiters: Container[int]) -> list[str]:
    """Arrivals that no tile waits for; of a double buffer's releases the last two need not be.

    Engines run in order, so that whoever waits for a release has waited for those before it.
    """
    unheard, released, heard = [], dict[str, int](), dict[str, int]()
    for ident in arrived:
        label = labels[ident]
        place, number = label.rsplit(" ", 1)
        if not place.startswith(RELEASES):
            if ident not in waiters and not label.startswith(IN_DRAM):
                unheard.append(label)
            continue
        released[place] = max(int(number), released.get(place, 0))
        if ident in waiters:
            heard[place] = max(int(number), heard.get(place, 0))
    late = [place for place, last in released.items() if heard.get(place, -1) < last - HALVES]
    return unheard + late


def group_departures(program: Program) -> Iterator[Check]:
    """Engines do not come back to samples of which they have said that they left the chip."""
    departures = {
        ident
        for ident, label in enumerate(program.completions.labels)
        if label.startswith(DEPARTURE)
    }
    wrong = [
        f"core{core:02d} {engine} sample {tile.sample}"
        for core, engines in enumerate(program.tiles)
        for engine in ENGINES
        for tile in _after(engines[engine], departures)
    ]
    yield Check("groups leave when they are done", not wrong, f"{wrong[:3]}")


def _after(tiles: list[Tile], departures: set[int]) -> Iterator[Tile]:
    """Tiles of samples that an earlier tile has released."""
    left: set[int] = set()
    for tile in tiles if departures else []:
        samples = range(max(0, tile.sample), tile.sample + tile.samples)
        if not left.isdisjoint(samples):
            yield tile
        if not departures.isdisjoint(tile.signals):
            left.update(samples)
