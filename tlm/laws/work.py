"""Work: what had to be done was done exactly once, by counts that know no tiles."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.tallies import layer_name, works
from tlm.space.phase import Phase


def results(chip: Chip, due: Due) -> Iterator[Check]:
    """Every result element due of a (phase, layer, sample, step) exactly once, and nothing else."""
    covered: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for engine in chip.engines:
        for key, tally in engine.tallies.items():
            if tally.covered:
                total = covered.setdefault(key, {})
                for pair, elements in tally.covered.items():
                    total[pair] = total.get(pair, 0) + elements
    wrong = [
        f"{phase.name} layer {layer}"
        for (phase, layer), pairs in due.results.items()
        if covered.get((phase, layer)) != pairs
    ]
    extra = [str(key) for key in covered if key not in due.results]
    yield Check("required work exactly once", not wrong and not extra, f"{wrong + extra}")


def useful_operations(chip: Chip, due: Due) -> Iterator[Check]:
    """Operations on non-zero operands: processed by tiles = popcount of the recorded tensors."""
    for (phase, layer), count in due.useful.items():
        processed = sum(work.useful for work in works(chip, phase, layer))
        yield Check(
            f"useful operations {layer_name(phase, layer)}",
            processed == count,
            f"processed {processed}, popcount {count}",
        )


def synaptic_operations(chip: Chip, due: Due) -> Iterator[Check]:
    """Weights added up in FP for spikes are as many as all spikes together reach."""
    wrong = []
    for layer, count in due.synaptic.items():
        done = sum(work.useful for work in works(chip, Phase.FP, layer))
        if done != count:
            wrong.append(f"{layer_name(Phase.FP, layer)}: {done} of {count}")
    yield Check("synaptic operations", not wrong, f"{wrong}")


def all_operations(chip: Chip, due: Due) -> Iterator[Check]:
    """Operations processed and skipped together are those that the layer's shape asks for."""
    wrong = []
    for (phase, layer), count in due.dense.items():
        total = sum(work.dense for work in works(chip, phase, layer))
        if total != count:
            wrong.append(f"{layer_name(phase, layer)}: {total} of {count}")
    yield Check("operations processed and skipped", not wrong, f"{wrong}")


def executed_slots(chip: Chip) -> Iterator[Check]:
    """No engine executes more slots than a phase of a layer has, and none fewer than zero."""
    wrong = [
        f"{engine.path} {key}"
        for engine in chip.engines
        for key, tally in engine.tallies.items()
        if not 0 <= tally.work.executed <= tally.work.slots
    ]
    yield Check("executed slots exist", not wrong, f"{wrong[:3]}")
