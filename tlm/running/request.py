"""What a run is asked to do, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlm.config.layers import LoadedChip
from tlm.running.cost import SimulationCost
from tlm.trace.limits import NO_LIMITS, TraceLimits
from tlm.trace.summary import Summary
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.inference import Stop
from tlm.workload.model import RunMode, Workload


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do, as it was asked; the manifest keeps it.

    ``workload`` is the name of a bundled job or a path, ``chip`` a preset or a path, ``overrides``
    are ``a.b=value`` each, applied last. ``iteration`` is a recorded training iteration, the last
    one if None; ``mapping`` is the path of a mapping file, if any: settings of ``mapping.*`` in
    ``overrides`` win over those of the file. ``trace`` is ``off``, ``phase`` or ``transaction``;
    ``activity`` as in :mod:`tlm.workload.drawn.kinds`, ``weights`` as in
    :mod:`tlm.workload.drawn.weights`; ``mem_bytes`` is the memory that the process may take, all
    that is free if None. ``mode`` is what the job was recorded for if None;
    "inference" runs the forward pass of the first ``batch`` samples
    (all if None), each until ``stop`` (:mod:`tlm.workload.inference`). ``kernel`` is ``simpy`` or
    ``compiled``, which give the same results; the compiled one, where there is one, if None.
    """

    workload: str
    chip: str = "neuromc-20"
    overrides: tuple[str, ...] = ()
    iteration: int | None = None
    mapping: str | None = None
    trace: str = "transaction"
    activity: ActivityKind = "recorded"
    limits: TraceLimits = NO_LIMITS
    mem_bytes: int | None = None
    weights: str = "dense"
    mode: RunMode | None = None
    batch: int | None = None
    stop: Stop = "all-steps"
    kernel: str | None = None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is: simulated time in ps, transactions so far, tiles done of all."""

    time_ps: int
    transactions: int
    tiles_done: int
    tiles: int


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, the summary, and what it cost to simulate."""

    folder: Path
    summary: Summary
    workload: Workload
    chip: LoadedChip
    cost: SimulationCost

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return self.summary.ok

    @property
    def trace_truncated(self) -> str | None:
        """``disk-full`` or ``budget`` if the trace ends before the run."""
        return self.cost.trace_truncated
