"""What the engines have counted of one phase of one layer."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.hardware.core.engine import Tally
from tlm.space.phase import Phase
from tlm.space.tile import Work


def tallies(chip: Chip, phase: Phase, layer: int) -> list[Tally]:
    """The tallies of all engines that took part."""
    return [e.tallies[phase, layer] for e in chip.engines if (phase, layer) in e.tallies]


def works(chip: Chip, phase: Phase, layer: int) -> list[Work]:
    """The work of all engines that took part."""
    return [tally.work for tally in tallies(chip, phase, layer)]


def layer_name(phase: Phase, layer: int) -> str:
    """A phase of a layer in a report."""
    return f"{phase.name.lower()} layer {layer}"
