"""What spiking and sparsity buy: the same job dense, as an ANN, and at other spike rates.

The kinds of a job are those of :mod:`tlm.workload.drawn.kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

from tlm.trace.summary import Summary
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.drawn.tensors import redrawn
from tlm.workload.model import Workload

DENSITIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)

Simulate = Callable[[Workload, ActivityKind], Summary]
"""Runs a job, as recorded or as one of its counterfactuals, and gives the summary."""


@dataclass(frozen=True, slots=True)
class RunFigures:
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


def run_figures(summary: Summary) -> RunFigures:
    """The figures of a summary that counterfactuals compare; energy of no phase is left out."""
    phases = summary.time.phases
    return RunFigures(
        makespan_ps=summary.time.makespan_ps,
        total_pj=summary.energy.total_pj,
        core_pj=summary.efficiency.core_pj,
        dram_nbytes=summary.dram.nbytes,
        message_nbytes=summary.noc.message_bytes,
        span_ps={name: phase.end_ps - phase.begin_ps for name, phase in phases.items()},
        phase_pj={name: summary.energy.by_phase_pj.get(name, 0.0) for name in phases},
    )


def at_densities(
    workload: Workload, simulate: Simulate, densities: Sequence[float] = DENSITIES
) -> dict[float, RunFigures]:
    """Runs with spikes, masks and gradients drawn independently at each density."""
    return {
        density: run_figures(
            simulate(redrawn(workload, Bernoulli(density), _words(density)), "recorded")
        )
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
