"""``workload check``: read a job whole, and rebuild what is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.errors import WorkloadError
from tlm.workload.golden import Agreement, check_recording
from tlm.workload.golden.agreement import TOLERANCE
from tlm.workload.model import Workload


@dataclass(frozen=True)
class Audit:
    """One recorded iteration, read whole; ``layers`` is empty if its level is not "exact"."""

    iteration: int
    level: str
    layers: tuple[Agreement, ...]


def audit(workload: Workload) -> Iterator[Audit]:
    """Read every recording and rebuild the exact ones.

    Raises WorkloadError if a dataset is damaged, or if more than rounding separates a layer from
    what the golden model makes of its surroundings.
    """
    for position, (iteration, level) in enumerate(
        zip(workload.iterations, workload.levels, strict=True)
    ):
        workload.load(position)
        if level != "bits":
            workload.load_values(position)
        layers = check_recording(workload, position) if level == "exact" else ()
        yield Audit(iteration, level, layers)
        broken = [layer for layer in layers if not layer.holds()]
        if broken:
            # A wrong weight also spoils the gradients of the layers before it, not their spikes.
            worst = max(broken, key=lambda layer: len(layer.flips))
            raise _disagreement(workload, iteration, worst)


def _disagreement(workload: Workload, iteration: int, layer: Agreement) -> WorkloadError:
    gradient = (
        f", a gradient off by {layer.largest_error:.1g} of its largest value (at most "
        f"{TOLERANCE:g})"
        if layer.gradient_error is not None
        else ""
    )
    return WorkloadError(
        f"{workload.path}: iteration {iteration}, layer {layer.layer}: "
        f"{len(layer.flips) - layer.near} spikes beyond rounding{gradient}; record the job again"
    )


def flip_lines(iteration: Audit) -> list[str]:
    """A line for each spike that rounding turned, with its place."""
    return [
        f"iteration {iteration.iteration}, {layer.layer}: spike (t, b, k, y, x) = {flip.place} "
        f"turned, {flip.distance:.1e} from its threshold"
        for layer in iteration.layers
        for flip in layer.flips
    ]
