"""Order: what is sent is waited for where it arrives, and comes from all that have to send it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.space.array_types import Ints
from tlm.space.phase import ENGINES
from tlm.space.program import Program
from tlm.space.tile import Tile

RELEASES = ("dY used", "U used")  # of memories that are filled and read by halves
HALVES = 2
# Need not be read; see ``dram_contents``. U of a sample that stops is carried in vain.
IN_DRAM = ("saved", "dX", "dM", "dY saved", "dI", "partial dW", "U carried step")
DEPARTURE = "samples done"  # a group of samples has left the chip

Idents = tuple[int, ...]  # of completions


@dataclass(frozen=True, slots=True)
class Parties:
    """The cores at each completion, as pairs ``completion * cores + core``.

    ``waiters`` have a tile that waits for it, ``senders`` a tile or message that arrives at it,
    ``receivers`` are the cores that those messages go to.
    """

    cores: int
    waiters: Ints
    senders: Ints
    receivers: Ints


def parties_of(program: Program) -> Parties:
    """Who waits and who sends, of all tiles."""
    count = len(program.tiles)
    waiters, senders, receivers = list[Ints](), list[Ints](), list[Ints]()
    for core, engines in enumerate(program.tiles):
        tiles = list(chain.from_iterable(engines.values()))
        messages = chain.from_iterable(map(attrgetter("messages"), tiles))
        sent = set(map(attrgetter("core", "arrives"), messages))
        targets = np.fromiter((target for target, _ in sent), np.int64)
        lengths = np.fromiter((len(arrives) for _, arrives in sent), np.int64)
        arriving = _flat(arrives for _, arrives in sent)
        receivers.append(arriving * count + np.repeat(targets, lengths))
        waiters.append(_flat(_distinct(tiles, "needs", "read_needs")) * count + core)
        senders.append(_flat(_distinct(tiles, "signals", "saves")) * count + core)
        senders.append(arriving * count + core)
    return Parties(count, *map(_sorted, (waiters, senders, receivers)))


def _sorted(parts: Sequence[Ints]) -> Ints:
    pairs = np.sort(np.concatenate(parts))
    return pairs[np.diff(pairs, prepend=-1) > 0]


def _distinct(tiles: Sequence[Tile], *names: str) -> set[Idents]:
    """Completions of some tiles: the same tuple is met many times over, and is looked at once."""
    return set[Idents]().union(*(map(attrgetter(name), tiles) for name in names))


def _flat(tuples: Iterable[Idents]) -> Ints:
    return np.fromiter(chain.from_iterable(tuples), np.int64)


def arrivals(program: Program, due: Due) -> Iterator[Check]:
    """Nothing arrives that no tile waits for, nothing is waited for that never arrives.

    Data that a tile waits for come from every core that has some of them, to the core that waits.
    """
    parties = parties_of(program)
    labels, counts = program.completions.labels, program.completions.counts
    arrived, awaited = (_idents(parties, some) for some in (parties.senders, parties.waiters))
    unheard = _unheard(labels, arrived, set(awaited))
    yield Check("what arrives is waited for", not unheard, f"{unheard[:3]}")
    never = [labels[ident] for ident in awaited if not counts[ident]]
    never = [label for label in never if due.senders.get(label) != frozenset()]
    yield Check("what is waited for arrives", not never, f"{never[:3]}")
    astray = _idents(parties, np.setdiff1d(parties.receivers, parties.waiters, True))
    strays = [labels[ident] for ident in astray]
    yield Check("messages go to who waits", not strays, f"{strays[:3]}")
    short = list(_short(labels, parties, due))
    yield Check("data come from all who have them", not short, f"{short[:3]}")


def _idents(parties: Parties, pairs: Ints) -> list[int]:
    """The completions of some pairs, each once."""
    return list(dict.fromkeys((pairs // parties.cores).tolist()))


def _short(labels: Sequence[str], parties: Parties, due: Due) -> Iterator[str]:
    """Completions at which data arrive from other cores than are due, or from fewer."""
    ident_of = {label: ident for ident, label in enumerate(labels)}
    for label, cores in due.senders.items():
        if cores and label not in ident_of:
            yield f"{label}: from no core, due {sorted(cores)}"
    known = {ident_of[label]: cores for label, cores in due.senders.items() if label in ident_of}
    lengths = np.fromiter(map(len, known.values()), np.int64)
    asked = np.repeat(np.fromiter(known, np.int64), lengths) * parties.cores
    asked += np.fromiter(chain.from_iterable(known.values()), np.int64)
    of_due = np.zeros(len(labels), np.bool_)
    of_due[list(known)] = True
    sent = parties.senders[of_due[parties.senders // parties.cores]]
    for ident in _idents(parties, np.setxor1d(asked, sent, True)):
        senders = sent[sent // parties.cores == ident] % parties.cores
        yield f"{labels[ident]}: from cores {senders.tolist()}, due {sorted(known[ident])}"


def _unheard(labels: Sequence[str], arrived: Iterable[int], waiters: Container[int]) -> list[str]:
    """Arrivals that no tile waits for; of a double buffer's releases the last two need not be.

    Engines run in order, so that whoever waits for a release has waited for those before it.
    """
    unheard, released, heard = [], dict[str, int](), dict[str, int]()
    for ident in arrived:
        label = labels[ident]
        if not label.startswith(RELEASES):
            if ident not in waiters and not label.startswith(IN_DRAM):
                unheard.append(label)
            continue
        place, number = label.rsplit(" ", 1)
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
