"""The target of a mapping: the chip it is made for, with what its tables say of DRAM and energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import DramTiming
from tlm.config.tables.energy import EnergyTable
from tlm.counts.core_arrays import CoreArrays
from tlm.space.array_types import Floats, Ints
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores

DRAM_SHARE = 0.6  # of the peak that a job's reads and writes reach (assumed; seen: .5 to .7)


@dataclass(frozen=True, slots=True)
class Target:
    """A chip with all that an estimate of a mapping reads of it.

    ``stores_of`` says what stays in the cores if a job's layers are cut by some grids: as the plan
    of a run decides it.
    """

    chip: ChipConfig
    arrays: CoreArrays
    timing: DramTiming
    energy: EnergyTable
    stores_of: Callable[[Sequence[Grid]], Sequence[LayerStores]]

    @property
    def framing(self) -> float:
        """What headers add to long messages, as a factor."""
        return 1 + self.chip.noc.header / self.chip.noc.payload

    @property
    def message_ps(self) -> int:
        """The time of a full packet over the mean distance of two nodes, if nothing is in its way.

        As the network has it: (hops + 1) (stages + 1) + flits + 1 cycles.
        """
        mesh, noc = self.chip.mesh, self.chip.noc
        hops = (mesh.columns + mesh.rows) // 3
        flits = (noc.payload + noc.header) * 8 // noc.link
        return int(((hops + 1) * (noc.router_stages + 1) + flits + 1) * noc.period_ps)

    @property
    def dram_latency_ps(self) -> int:
        """From a write to DRAM to what has been read of it: three ways on the mesh (assumed)."""
        return 3 * self.message_ps

    def channels_reached(self, streams: int) -> float:
        """The part of the channels that cores keep busy which read ``streams`` different things.

        Those that read the same do so in step. The window of a stream spans some channels, those
        of several lie anywhere.
        """
        dram, noc = self.chip.dram, self.chip.noc
        ahead = (self.chip.core.outstanding - 1) * noc.payload
        each = min(1.0, (1 + ahead / dram.interleave) / dram.channels)
        return 1 - (1 - each) ** streams

    def dram_ps(self, nbytes: float) -> int:
        """The time in ps that ``nbytes`` take on all DRAM channels together."""
        return int(nbytes / self._dram_bytes_per_ps)

    def dram_times(self, nbytes: Floats | Ints) -> Floats:
        """The same of an array of bytes; whole ps."""
        return np.trunc(nbytes / self._dram_bytes_per_ps)

    @property
    def _dram_bytes_per_ps(self) -> float:
        return self.timing.peak_bytes_per_ps * self.chip.dram.channels * DRAM_SHARE
