"""The array of one engine: its sizes, what it holds and which slots it skips."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.core import Dataflow, Mode


@dataclass(frozen=True, slots=True)
class EngineArray:
    """One engine's array: sizes, dataflow, mode, and whether its sums are weights (WG).

    ``slot_cycles`` is above 1 only if the banks cannot feed a slot a cycle; ``scan`` slots are
    looked at in a cycle, ``queue`` groups of them wait in front of a lane.
    """

    dataflow: Dataflow
    mode: Mode
    rows: int
    cols: int
    slot_cycles: int
    scan: int
    queue: int
    weights_are_sums: bool

    @property
    def held_positions(self) -> int:
        """Positions the array holds at a time; 1 where it holds weights."""
        return {"weight": 1, "output": self.rows, "input": self.cols}[self.dataflow]

    @property
    def lanes(self) -> int:
        """Lanes of mode ``element``."""
        return self.cols if self.dataflow == "input" else self.rows
