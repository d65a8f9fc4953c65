"""A job on the chip at other spike rates: where sparse execution breaks even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular
from tlm_analysis.gpu.comparison.chip_run import ChipRun, Kind

Even: TypeAlias = float | Literal["cheaper", "dearer", "no rise"]
"""A density in 0..1, or how costs at all densities lie."""

_MAX_BYTES = 16 << 20
_KINDS: dict[str, Kind] = {"recorded": "sparse", "dense": "dense", "ann": "ann"}


@dataclass(frozen=True)
class DensitySweep:
    """Runs of a job sparse, dense and as an ANN, and (density, time s, energy J) of drawn masks."""

    runs: dict[Kind, ChipRun]
    drawn: tuple[tuple[float, float, float], ...]

    @property
    def workload(self) -> str:
        """The job's name."""
        return self.runs["sparse"].workload

    def time_even(self, against: Kind) -> Even:
        """Where sparse execution takes the time of ``against``."""
        points = [(density, time_s) for density, time_s, _ in self.drawn]
        return even(points, self.runs[against].time_s)

    def energy_even(self, against: Kind) -> Even:
        """The same for energy."""
        points = [(density, energy_j) for density, _, energy_j in self.drawn]
        return even(points, self.runs[against].energy_j)


def read_sweep(path: Path) -> DensitySweep:
    """Read what ``python -m tlm counterfactual JOB --json`` printed into ``JOB.json``.

    Raises:
        TraceError: the file is something else.
    """
    try:
        printed: Any = parse_json(read_regular(path, _MAX_BYTES))
        runs = {kind: _run(path.stem, kind, printed["runs"][name]) for name, kind in _KINDS.items()}
        drawn = tuple(
            (row["density"], row["makespan_ps"] / 1e12, row["total_pj"] / 1e12)
            for row in printed["drawn"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TraceError(
            f"{path}: expected the output of python -m tlm counterfactual JOB --json "
            f"({type(error).__name__}: {error})"
        ) from error
    return DensitySweep(runs, drawn)


def _run(workload: str, kind: Kind, figures: dict[str, Any]) -> ChipRun:
    return ChipRun(
        workload=workload,
        chip="of the sweep",
        kind=kind,
        activity="recorded" if kind != "ann" else "dense ANN",
        dram_nbytes=figures["dram_nbytes"],
        time_s=figures["makespan_ps"] / 1e12,
        energy_j=figures["total_pj"] / 1e12,
    )


def even(points: Sequence[tuple[float, float]], target: float) -> Even:
    """Density at which a cost rises to ``target``, a power law between points.

    ``points`` are (density, cost) by rising density; nothing is extrapolated: costs that are all
    less than the target are "cheaper", all more "dearer", and "no rise" if they fall to it.
    """
    if all(cost < target for _, cost in points):
        return "cheaper"
    if all(cost > target for _, cost in points):
        return "dearer"
    for (d0, c0), (d1, c1) in pairwise(points):
        if c0 <= target <= c1 and c0 < c1:
            return exp(log(d0) + log(target / c0) / log(c1 / c0) * log(d1 / d0))
    return "no rise"
