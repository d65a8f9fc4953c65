"""The target of a mapping: the chip it is made for, with what its tables say of DRAM and energy."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import DramTiming
from tlm.config.tables.energy import EnergyTable
from tlm.counts.core_arrays import CoreArrays

DRAM_SHARE = 0.6  # of the peak that a job's reads and writes reach (assumed; seen: .5 to .7)


@dataclass(frozen=True, slots=True)
class Target:
    """A chip with all that an estimate of a mapping reads of it."""

    chip: ChipConfig
    arrays: CoreArrays
    timing: DramTiming
    energy: EnergyTable

    def dram_ps(self, nbytes: int) -> int:
        """The time in ps that ``nbytes`` take on all DRAM channels together."""
        channels = self.chip.dram.channels
        return int(nbytes / (self.timing.peak_bytes_per_ps * channels * DRAM_SHARE))
