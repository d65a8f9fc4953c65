"""Figures that mappings are compared by: time, energy and DRAM bytes, estimated or simulated."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.chip import Objective

# Powers of time, energy and DRAM bytes in what an objective makes small.
_POWERS = {"time": (1, 0, 0), "energy": (0, 1, 0), "edp": (1, 1, 0), "bytes": (0, 0, 1)}


@dataclass(frozen=True, slots=True)
class MappingFigures:
    """What a mapping takes: time in ps, energy in pJ, bytes read from and written to DRAM."""

    time_ps: int
    energy_pj: float
    dram_bytes: int

    def score(self, objective: Objective) -> float:
        """What is to be small: ``time``, ``energy``, their product ``edp``, or DRAM ``bytes``."""
        time, energy, nbytes = _POWERS[objective]
        return float(self.time_ps**time * self.energy_pj**energy * self.dram_bytes**nbytes)

    def dominates(self, other: MappingFigures) -> bool:
        """Whether no figure is larger than the other's and at least one is smaller."""
        pairs = (
            (self.time_ps, other.time_ps),
            (self.energy_pj, other.energy_pj),
            (self.dram_bytes, other.dram_bytes),
        )
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
