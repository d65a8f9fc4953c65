"""A tile while it is put together: what it does is only ever added to, then it is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tlm.space.phase import Phase
from tlm.space.region import Span
from tlm.space.tile import Extent, Message, Tile, Work


@dataclass(slots=True)
class TileDraft:
    """A tile of a phase of a layer over some samples and steps; see :class:`Tile` for its parts.

    Builders of different concerns (weights, inputs, neurons, messages) each add their part;
    ``frozen`` gives the tile that the hardware executes.
    """

    phase: Phase
    layer: int
    sample: int
    samples: int
    step: int
    steps: int
    cycles: int = 0
    work: Work = field(default_factory=Work)
    needs: tuple[int, ...] = ()
    read_needs: tuple[int, ...] = ()
    reads: tuple[Extent, ...] = ()
    writes: tuple[Extent, ...] = ()
    messages: tuple[Message, ...] = ()
    signals: tuple[int, ...] = ()
    saves: tuple[int, ...] = ()
    covers: int = 0
    skipped: tuple[tuple[int, int], ...] = ()
    rows: Span = (0, 0)

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
        energy = self.work.energy
        for action, count in counts.items():
            if count:
                energy[action] = energy.get(action, 0) + count

    def frozen(self) -> Tile:
        """The tile as it stands."""
        return Tile(
            self.phase, self.layer, self.sample, self.samples, self.step, self.steps,
            self.cycles, self.work, self.needs, self.read_needs, self.reads, self.writes,
            self.messages, self.signals, self.saves, self.covers, self.skipped, self.rows,
        )  # fmt: skip
