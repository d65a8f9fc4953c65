"""Order: what is sent is waited for where it arrives, from all that have to send it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from tlm.laws.check import Check
from tlm.space.program import Program
from tlm.space.tile import Tile

RELEASES = ("dU used", "U used")  # of memories that are filled and read by halves
HALVES = 2
IN_DRAM = ("saved", "dX", "dY", "dI", "partial dW")  # need not be read; if so, see ``stored``


def awaited(program: Program) -> Iterator[Check]:
    """Nothing arrives that no tile waits for, nothing is waited for that never arrives.

    Data that somebody waits for come from every core that has them, to the core that waits.
    """
    waits, senders, wrong_core = _ends(program)
    labels, counts = program.completions.labels, program.completions.counts
    unheard = _unheard(labels, senders, waits)
    due = program.expected_senders
    never = [labels[ident] for ident in waits if not counts[ident]]
    never = [label for label in never if due.get(label) != frozenset()]
    yield Check("what arrives is waited for", not unheard, f"{unheard[:3]}")
    yield Check("what is waited for arrives", not never, f"{never[:3]}")
    yield Check("messages go to who waits", not wrong_core, f"{wrong_core[:3]}")
    found = {labels[ident]: cores for ident, cores in senders.items()}
    short = [
        f"{label}: from cores {sorted(found.get(label, ()))}, due {sorted(cores)}"
        for label, cores in due.items()
        if found.get(label, set()) != cores
    ]
    yield Check("data come from all who have them", not short, f"{short[:3]}")


def _unheard(labels: list[str], arrivals: Iterable[int], waits: Container[int]) -> list[str]:
    """Arrivals that nobody waits for; of a double buffer's releases the last two need not be.

    Engines run in order, so that who waits for a release has waited for those before it.
    """
    found, released, heard = [], dict[str, int](), dict[str, int]()
    for ident in arrivals:
        label = labels[ident]
        place, number = label.rsplit(" ", 1)
        if not place.startswith(RELEASES):
            found += [label] * (ident not in waits and not label.startswith(IN_DRAM))
            continue
        released[place] = max(int(number), released.get(place, 0))
        if ident in waits:
            heard[place] = max(int(number), heard.get(place, 0))
    late = [place for place, last in released.items() if heard.get(place, -1) < last - HALVES]
    return found + late


def _ends(program: Program) -> tuple[dict[int, set[int]], dict[int, set[int]], list[str]]:
    """Cores that wait for and that arrive at each completion; messages to cores that do neither."""
    waits: dict[int, set[int]] = {}
    senders: dict[int, set[int]] = {}
    sent: dict[int, set[int]] = {}
    for core, engines in enumerate(program.tiles):
        for tiles in engines.values():
            for tile in tiles:
                for ident in (*tile.needs, *tile.read_needs):
                    waits.setdefault(ident, set()).add(core)
                for ident in (*tile.signals, *tile.saves):
                    senders.setdefault(ident, set()).add(core)
                for message in tile.messages:
                    for ident in message.arrives:
                        senders.setdefault(ident, set()).add(core)
                        sent.setdefault(ident, set()).add(message.core)
    labels = program.completions.labels
    wrong = [labels[one] for one, cores in sent.items() if not cores <= waits.get(one, set())]
    return waits, senders, wrong


def gone(program: Program) -> Iterator[Check]:
    """Engines do not come back to samples that they have said to have left the chip."""
    done = {n for n, one in enumerate(program.completions.labels) if one.startswith("samples done")}
    wrong = [
        f"core{core:02d} {engine} sample {tile.sample}"
        for core, engines in enumerate(program.tiles)
        for engine in ("bp", "wg")
        for tile in _after(engines[engine], done)
    ]
    yield Check("groups leave when they are done", not wrong, f"{wrong[:3]}")


def _after(tiles: list[Tile], done: set[int]) -> Iterator[Tile]:
    """Tiles of samples that a tile before has released."""
    left: set[int] = set()
    for tile in tiles if done else []:
        samples = range(max(0, tile.sample), tile.sample + tile.samples)
        if not left.isdisjoint(samples):
            yield tile
        if not done.isdisjoint(tile.signals):
            left.update(samples)
