"""A tile while it is put together: what it does is only ever added to."""

from __future__ import annotations

from collections.abc import Mapping

from tlm.space.tile import Extent, Message, Tile, Work


class TileDraft(Tile):
    """A tile to which builders of different concerns (weights, neurons, messages) add their parts.

    Drafts are what the hardware executes in the end, for of large programs a copy takes long.
    """

    __slots__ = ()

    def add_needs(self, completions: tuple[int, ...]) -> None:
        """Hold the computation back until these completions have fired."""
        self.needs += completions

    def add_read_needs(self, completions: tuple[int, ...]) -> None:
        """Hold the fetch back until these completions have fired."""
        self.read_needs += completions

    def add_reads(self, extents: tuple[Extent, ...]) -> None:
        """Fetch these bytes behind those that are fetched already."""
        self.reads += extents

    def add_reads_before(self, extents: tuple[Extent, ...]) -> None:
        """Fetch these bytes before those that are fetched already."""
        self.reads = extents + self.reads

    def add_writes(self, extents: tuple[Extent, ...]) -> None:
        """Write these bytes when the tile has computed."""
        self.writes += extents

    def add_message(self, message: Message) -> None:
        """Send a message when the tile has computed."""
        self.messages += (message,)

    def add_signals(self, completions: tuple[int, ...]) -> None:
        """Count towards these completions when the tile has computed."""
        self.signals += completions

    def add_saves(self, completions: tuple[int, ...]) -> None:
        """Count towards these completions when the tile's writes are in DRAM."""
        self.saves += completions

    def add_cycles(self, cycles: int) -> None:
        """Compute for so many cycles more."""
        self.cycles += cycles

    def add_covers(self, elements: int) -> None:
        """Finish so many result elements of each (sample, step) pair."""
        self.covers += elements

    def add_energy(self, counts: Mapping[str, int]) -> None:
        """Do so many more of some actions of the energy table."""
        work = self.work  # of other tiles too, so that this one gets its own
        energy = dict(work.energy)
        for action, count in counts.items():
            if count:
                energy[action] = energy.get(action, 0) + count
        self.work = Work(work.slots, work.executed, work.dense, work.useful, energy)
