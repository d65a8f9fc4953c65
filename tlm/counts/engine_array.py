"""The array of one engine: its size, what it holds, and which zeros it looks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlm.config.core import BackwardGrid, Dataflow, Mode

EngineName = Literal["fp", "bp", "wg"]


@dataclass(frozen=True, slots=True)
class EngineArray:
    """One engine's array, as far as slots, cycles and words depend on it.

    ``slot_cycles`` is above 1 only if the banks cannot feed one slot per cycle; ``scan`` slots are
    looked at in a cycle, ``queue`` groups of them wait in front of a lane. ``skip_row_zeros`` and
    ``skip_column_zeros`` say whether the zero test looks at the operand along the rows and along
    the columns. On the ``inserted`` grid the zeros that a stride puts between gradients take slots.
    ``packed`` weights (of dW, in WG) are only those that are stored: zeros have no place.
    ``other_bits`` is the width of the operand along the columns (FP, BP: weights, WG: dY),
    ``sum_bits`` that of a sum.
    """

    engine: EngineName
    dataflow: Dataflow
    mode: Mode
    rows: int
    cols: int
    slot_cycles: int
    scan: int
    queue: int
    skip_row_zeros: bool = True
    skip_column_zeros: bool = True
    grid: BackwardGrid = "compacted"
    other_bits: int = 16
    sum_bits: int = 16
    packed: bool = False

    @property
    def weights_are_sums(self) -> bool:
        """Whether what the array adds up are weights (dW), as in WG, and not neurons' values."""
        return self.engine == "wg"

    @property
    def held_positions(self) -> int:
        """Positions the array holds at a time; 1 where it holds weights."""
        return {"weight": 1, "output": self.rows, "input": self.cols}[self.dataflow]

    @property
    def lanes(self) -> int:
        """Lanes of mode ``element``."""
        return self.cols if self.dataflow == "input" else self.rows

    @property
    def channels_together(self) -> int:
        """Channels along the rows that may be counted together; single lanes need them apart."""
        apart = self.mode == "element" or self.dataflow != "weight" or self.packed
        return 1 if apart else self.rows
