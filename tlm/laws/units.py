"""Units: what stands beside the arrays works, and uses its memories, as often as is due."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.tallies import layer_name, tallies


def unit_operations(chip: Chip, due: Due) -> Iterator[Check]:
    """Neurons, gradients, sums and weights pass their units exactly as often as is due."""
    wrong = []
    for (phase, layer, action), count in due.unit_operations.items():
        total = sum(tally.work.energy.get(action, 0) for tally in tallies(chip, phase, layer))
        if total != count:
            wrong.append(f"{action} {layer_name(phase, layer)}: {total} of {count}")
    yield Check("unit operations", not wrong, f"{wrong}")


def unit_accesses(chip: Chip, due: Due) -> Iterator[Check]:
    """Memories beside the arrays move what their units take and give, rounded up tile by tile."""
    wrong = []
    for (phase, layer, action), accesses in due.unit_accesses.items():
        parts = tallies(chip, phase, layer)
        total = sum(tally.work.energy.get(action, 0) for tally in parts)
        excess = total - accesses.least
        spare = accesses.per_tile
        if excess < 0 or (spare is not None and excess > spare * sum(t.tiles for t in parts)):
            name = f"{action} {layer_name(phase, layer)}"
            wrong.append(f"{name}: {total}, least {accesses.least}")
    yield Check("accesses of the units' memories", not wrong, f"{wrong[:3]}")
