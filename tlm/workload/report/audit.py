"""``workload check``: read a job whole, and rebuild what is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from tlm.errors import WorkloadError
from tlm.workload.golden import Agreement, check_recording
from tlm.workload.golden.check import TOLERANCE
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
        found = check_recording(workload, position) if level == "exact" else ()
        yield Audit(iteration, level, found)
        broken = [one for one in found if not one.holds()]
        if broken:
            # A wrong weight also spoils the gradients of the layers before it, not their spikes.
            raise _disagreement(workload, iteration, max(broken, key=lambda one: len(one.flips)))


def _disagreement(workload: Workload, iteration: int, one: Agreement) -> WorkloadError:
    worst = max(one.gradient_error, *one.parameter_errors.values())
    return WorkloadError(
        f"{workload.path}: iteration {iteration}, layer {one.layer}: "
        f"{len(one.flips) - one.near} spikes beyond rounding, a gradient off by {worst:.1g} of its "
        f"largest value (at most {TOLERANCE:g}); record the job again"
    )


def audit_table(found: Audit) -> Table:
    """An audit for a terminal: one row a layer."""
    table = Table(title=f"Iteration {found.iteration}, level {found.level}, rebuilt")
    for name in ("layer", "neuron-steps", "flips", "dL/dI", "dL/dW and others", "free flips"):
        table.add_column(name)
    for one in found.layers:
        table.add_row(
            escape(one.layer),
            str(one.neuron_steps),
            str(len(one.flips)),
            f"{one.gradient_error:.1e}",
            ", ".join(f"{name} {error:.1e}" for name, error in one.parameter_errors.items()),
            str(one.free_flips),
        )
    return table


def flip_lines(found: Audit) -> list[str]:
    """Each spike that rounding turned, by its place."""
    return [
        f"iteration {found.iteration}, {one.layer}: spike (t, b, k, y, x) = {flip.place} turned, "
        f"H - threshold = {flip.distance:.1e}"
        for one in found.layers
        for flip in one.flips
    ]
