"""Conservation laws, checked at the end of every run from quantities counted apart.

A run that breaks one is INVALID: its figures are not to be used.
"""

from __future__ import annotations

from tlm.config.tables.energy import EnergyTable
from tlm.hardware.chip import Chip
from tlm.hardware.energy import EnergyRow
from tlm.laws.awaited import awaited, gone
from tlm.laws.bounds import channel_busy_ps, lower_bound_checks, lower_bounds_ps
from tlm.laws.charged import charged, energy, priced
from tlm.laws.check import Check
from tlm.laws.finished import all_done, time_accounted
from tlm.laws.moved import dram_bytes, flits, messages, refreshes
from tlm.laws.stored import stored
from tlm.laws.weights import weights
from tlm.laws.work import accesses, operations, required, slots, units, useful
from tlm.space.program import Program

__all__ = ["Check", "channel_busy_ps", "check_run", "lower_bound_checks", "lower_bounds_ps"]


def check_run(
    chip: Chip, program: Program, rows: list[EnergyRow], total_pj: float, table: EnergyTable
) -> list[Check]:
    """All invariants of a settled run, whose energies are from ``table``."""
    return [
        *all_done(chip),
        *dram_bytes(chip, program),
        *refreshes(chip),
        *messages(chip, program),
        *flits(chip),
        *weights(program),
        *stored(program),
        *awaited(program),
        *gone(program),
        *required(chip, program),
        *useful(chip, program),
        *operations(chip, program),
        *units(chip, program),
        *accesses(chip, program),
        *slots(chip),
        *time_accounted(chip),
        *energy(rows, total_pj),
        *charged(chip, rows),
        *priced(chip, rows, table),
        *lower_bound_checks(chip, program),
    ]
