"""What spiking and sparsity buy: the same job dense, as an ANN, and at other spike rates.

recorded  the job as it is.
dense     the same masks and T, but no engine skips anything.
ann       the same network with T = 1, 16 bit activations and every multiply-accumulate done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from typing import Any, Literal

from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.drawn.ann import as_ann
from tlm.workload.drawn.tensors import redrawn
from tlm.workload.model import Workload

Json = dict[str, Any]
Activity = Literal["recorded", "dense", "ann"]
ACTIVITIES: tuple[Activity, ...] = ("recorded", "dense", "ann")
NOTHING_SKIPPED = (
    *(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg")),
    "core.skip_slices=false",
)
DENSITIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)

Simulate = Callable[[Workload, Sequence[str]], Json]
"""Runs a job on the chip with further overrides and gives its summary."""


def as_activity(workload: Workload, activity: Activity) -> tuple[Workload, tuple[str, ...]]:
    """The job and the overrides of the chip that stand for ``activity``."""
    if activity == "recorded":
        return workload, ()
    return (as_ann(workload) if activity == "ann" else workload), NOTHING_SKIPPED


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: whole time and energy, and the span in ps and energy in pJ of each phase.

    ``core_pj`` is the energy of boundary core: engines, their buffers and units.
    """

    makespan_ps: int
    total_pj: float
    core_pj: float
    dram_nbytes: int
    message_nbytes: int
    span_ps: dict[str, int]
    phase_pj: dict[str, float]


def outcome(summary: Json) -> Outcome:
    """The figures of a summary that counterfactuals compare; energy of no phase is left out."""
    phases = summary["time"]["phases"]
    return Outcome(
        makespan_ps=summary["time"]["makespan_ps"],
        total_pj=summary["energy"]["total_pj"],
        core_pj=summary["efficiency"]["core_pj"],
        dram_nbytes=summary["dram"]["bytes_read"] + summary["dram"]["bytes_written"],
        message_nbytes=summary["noc"]["message_bytes"],
        span_ps={name: row["end_ps"] - row["begin_ps"] for name, row in phases.items()},
        phase_pj={name: summary["energy"]["by_phase_pj"].get(name, 0.0) for name in phases},
    )


def at_densities(
    workload: Workload, simulate: Simulate, densities: Sequence[float] = DENSITIES
) -> dict[float, Outcome]:
    """Runs with spikes, masks and gradients drawn independently at each density."""
    return {
        density: outcome(simulate(redrawn(workload, Bernoulli(density), _words(density)), ()))
        for density in densities
    }


def _words(density: float) -> str:
    return f"bernoulli({density:g})"


def break_even(points: Sequence[tuple[float, float]], target: float) -> float | None:
    """The density at which a cost that rises with it reaches ``target``; None if none does.

    Between two drawn densities the cost follows a power law. ``points`` are (density, cost) by
    rising density; beyond them nothing is extrapolated.
    """
    for (d0, c0), (d1, c1) in pairwise(points):
        if c0 <= target <= c1 and c0 < c1:
            return exp(log(d0) + log(target / c0) / log(c1 / c0) * log(d1 / d0))
    return None
