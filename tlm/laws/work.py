"""Work: what had to be done was done exactly once, by counts that know no tiles."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.space.phase import Phase
from tlm.space.program import Program
from tlm.space.tile import Work


def required(chip: Chip, program: Program) -> Iterator[Check]:
    """Every required (phase, layer, sample, step) exactly once, and nothing else."""
    covered: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for engine in chip.engines:
        for key, tally in engine.tallies.items():
            if tally.covered:
                total = covered.setdefault(key, {})
                for pair, elements in tally.covered.items():
                    total[pair] = total.get(pair, 0) + elements
    due = {key: pairs for key, pairs in program.required.items() if pairs}
    wrong = [f"{key[0].name} layer {key[1]}" for key in due if covered.get(key) != due[key]]
    extra = [str(key) for key in covered if key not in due]
    yield Check("required work exactly once", not wrong and not extra, f"{wrong + extra}")


def useful(chip: Chip, program: Program) -> Iterator[Check]:
    """Operations on non-zero operands: processed by tiles = popcount of the recorded tensors."""
    for (phase, layer), expected in program.expected_useful.items():
        done = sum(work.useful for work in _works(chip, phase, layer))
        yield Check(
            f"useful operations {phase.name.lower()} layer {layer}",
            done == expected,
            f"processed {done}, popcount {expected}",
        )


def slots(chip: Chip) -> Iterator[Check]:
    """No engine executes more slots than a phase of a layer has, nor skips below none."""
    wrong = [
        f"{engine.path} {key}"
        for engine in chip.engines
        for key, tally in engine.tallies.items()
        if not 0 <= tally.work.executed <= tally.work.slots
    ]
    yield Check("executed slots exist", not wrong, f"{wrong[:3]}")


def operations(chip: Chip, program: Program) -> Iterator[Check]:
    """Operations processed and skipped together are those that the layer's shape asks for."""
    wrong = [
        f"{phase.name.lower()} layer {layer}: {found} of {due}"
        for (phase, layer), due in program.expected_dense.items()
        if (found := sum(w.dense for w in _works(chip, phase, layer))) != due
    ]
    yield Check("operations processed and skipped", not wrong, f"{wrong}")


def units(chip: Chip, program: Program) -> Iterator[Check]:
    """Neurons, gradients, sums and weights pass their units exactly as often as the layers ask."""
    wrong = [
        f"{action} {phase.name.lower()} layer {layer}: {found} of {due}"
        for (phase, layer, action), due in program.expected_actions.items()
        if (found := sum(w.energy.get(action, 0) for w in _works(chip, phase, layer))) != due
    ]
    yield Check("unit operations", not wrong, f"{wrong}")


def accesses(chip: Chip, program: Program) -> Iterator[Check]:
    """Memories beside the arrays move what their units take and give, rounded up tile by tile."""
    wrong = []
    for (phase, layer, action), (least, spare) in program.expected_accesses.items():
        tallies = [engine.tallies.get((phase, layer)) for engine in chip.engines]
        found = sum(one.work.energy.get(action, 0) for one in tallies if one is not None)
        most = least + spare * sum(one.tiles for one in tallies if one is not None)
        if found < least or (spare >= 0 and found > most):
            wrong.append(f"{action} {phase.name.lower()} layer {layer}: {found}, least {least}")
    yield Check("accesses of the units' memories", not wrong, f"{wrong[:3]}")


def _works(chip: Chip, phase: Phase, layer: int) -> list[Work]:
    found = (engine.tallies.get((phase, layer)) for engine in chip.engines)
    return [tally.work for tally in found if tally is not None]
