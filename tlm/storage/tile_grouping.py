"""How the entries of a block are cut into tiles, and the weights that each of these takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.counts.engine_array import EngineArray
from tlm.space.array_types import Ints
from tlm.space.ports import MEMORY_PORT_BITS
from tlm.space.region import Span
from tlm.space.tile import Extent


@dataclass(frozen=True, slots=True)
class TileGrouping:
    """The tiles of a block: by tile its first entry, DRAM ``runs``, and the weights it takes.

    Weights are ``fetched`` from DRAM, read where they are ``staged``, ``put`` there. A panel has
    the tiles of a span of ``panels``.
    """

    starts: Ints
    runs: Sequence[tuple[Extent, ...]]
    fetched: Ints
    staged: Ints
    put: Ints
    panels: Sequence[Span]

    def energy(self, engine: str, array: EngineArray, bits: int) -> dict[str, Ints]:
        """Writes of the weight buffer, and accesses of the memory that stages weights, by tile.

        Lanes that hold positions of their own (mode ``element``) take weights of their own every
        cycle, so each has a copy of the buffer.
        """
        copies = array.lanes if array.mode == "element" and array.dataflow != "weight" else 1
        return {
            f"{engine}.weight_write": (self.fetched + self.staged) * copies,
            f"{engine}.stage_read": -(-self.staged * bits // MEMORY_PORT_BITS),
            f"{engine}.stage_write": -(-self.put * bits // MEMORY_PORT_BITS),
        }
