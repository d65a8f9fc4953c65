"""Mappings of a job compared by simulation: the known ones first, then the best by estimate.

The mapping that ``run`` uses by itself is always among those simulated, and wins a tie: what comes
out is never worse than it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tlm.config.chip import Objective
from tlm.errors import InterruptedRunError, InvalidResultError, MappingError
from tlm.placement.figures import MappingFigures
from tlm.running.folder import write_atomic
from tlm.running.interrupts import Abort
from tlm.running.request import RunProgress, RunRequest
from tlm.running.runner import Listener, run_request
from tlm.storage.mapping_file import choice_text, estimate_figures
from tlm.studies.mapping_proposals import DEFAULT, Proposal, make_proposals
from tlm.workload import open_workload
from tlm.workload.mode import require_training
from tlm.workload.model import Workload

SIMULATED = 4  # mappings of the search that are simulated if nothing else is asked
INTERRUPTED = 130  # of a KeyboardInterrupt, which names no signal

Watch = Callable[[str], AbstractContextManager[Callable[[RunProgress], None] | None]]
"""What is entered while that goes on which a text says; gives the listener of a run's progress."""


@dataclass(frozen=True)
class SearchTerms:
    """What a comparison makes small, and how far it goes.

    ``files`` are the user's mapping files. Beside the known mappings ``simulate`` of the search are
    simulated, or as many as end within ``budget_s`` of wall time if that is not None.
    """

    objective: Objective = "time"
    search: Literal["greedy", "local"] = "local"
    files: tuple[str, ...] = ()
    simulate: int = SIMULATED
    budget_s: float | None = None


@dataclass(frozen=True)
class SimulatedMapping:
    """A mapping and what its simulation came to."""

    proposal: Proposal
    figures: MappingFigures


@dataclass(frozen=True)
class MappingComparison:
    """The simulated mappings, best first, of so many that were compared by estimate.

    ``unplaced`` says by name why a mapping could not be simulated, ``overrides`` are those of a run
    with one of the mappings, ``stopped_by`` is the exit code of the signal that ended it early.
    """

    workload: Workload
    terms: SearchTerms
    ranked: tuple[SimulatedMapping, ...]
    compared: int
    unplaced: dict[str, str]
    overrides: tuple[str, ...]
    stopped_by: int

    @property
    def best(self) -> SimulatedMapping:
        """The mapping to use."""
        return self.ranked[0]

    @property
    def default(self) -> SimulatedMapping:
        """The mapping that ``run`` uses by itself."""
        return next(each for each in self.ranked if each.proposal.name == DEFAULT)

    def on_front(self, mapping: SimulatedMapping) -> bool:
        """Whether no other is as good in time, energy and DRAM bytes, and better in one."""
        return not any(other.figures.dominates(mapping.figures) for other in self.ranked)

    def file_text(self) -> str:
        """The best mapping as its file, with all that were simulated."""
        best, objective = self.best.proposal, self.terms.objective
        reasons = {
            "by": best.name,
            "objective": objective,
            "compared": self.compared,
            "estimate": estimate_figures(best.estimate),
            "simulated": [_row(each) for each in self.ranked],
        }
        return choice_text(self.workload, best.chip, best.grids, reasons)


def compare_mappings(
    request: RunRequest, terms: SearchTerms, watch: Watch = lambda text: nullcontext()
) -> MappingComparison:
    """Search for mappings of the job that ``request`` names, and simulate those worth it.

    A signal ends it early; what was simulated until then is compared.

    Raises:
        TlmError: a job, chip or mapping is refused; or a run breaks a law, or ends otherwise.
        InterruptedRunError: before any mapping was simulated.
    """
    simulation = _Simulation(request, terms, watch)
    stopped_by = 0
    try:
        simulation.run()
    except (InterruptedRunError, Abort, KeyboardInterrupt) as error:
        stopped_by = getattr(error, "exit_code", INTERRUPTED)
        if not simulation.simulated:
            text = "interrupted before a mapping was simulated; nothing was written"
            raise InterruptedRunError(text, stopped_by) from None
    return simulation.comparison(stopped_by)


class _Simulation:
    """One comparison on its way."""

    def __init__(self, request: RunRequest, terms: SearchTerms, watch: Watch) -> None:
        rest = [text for text in request.overrides if not text.lstrip().startswith("mapping.")]
        self._request, self._terms, self._watch = request, terms, watch
        self._run = replace(request, overrides=tuple(rest), trace="off")
        self._workload = open_workload(request.workload)
        require_training(self._workload, "mappings are of training: name a job recorded for it")
        self._started = time.monotonic()
        self._compared = 0
        self._unplaced: dict[str, str] = {}
        self.simulated: list[SimulatedMapping] = []

    def run(self) -> None:
        """Simulate the known mappings, then those of the search as the terms allow."""
        terms = self._terms
        search = (f"mapping.search={terms.search}", f"mapping.objective={terms.objective}")
        proposals = make_proposals(self._request, search, terms.files, self._workload)
        self._unplaced.update(proposals.unplaced)
        for proposal in proposals.known:
            self._simulate(proposal)
        if self._is_over(0, 0.0):
            return
        with self._watch("comparing mappings by estimate"):
            chosen = proposals.search()
        self._compared = chosen.tried
        longest_s = 0.0
        for number, proposal in enumerate(proposals.estimated(chosen)):
            if self._is_over(number, longest_s):
                return
            began = time.monotonic()
            self._simulate(proposal)
            longest_s = max(longest_s, time.monotonic() - began)

    def comparison(self, stopped_by: int) -> MappingComparison:
        """What was simulated, best first; of equally good ones, the first simulated."""
        objective = self._terms.objective
        ranked = sorted(self.simulated, key=lambda each: each.figures.score(objective))
        return MappingComparison(
            self._workload,
            self._terms,
            tuple(ranked),
            self._compared,
            self._unplaced,
            self._run.overrides,
            stopped_by,
        )

    def _is_over(self, number: int, longest_s: float) -> bool:
        """Whether ``number`` mappings of the search are enough, or there is no time for another."""
        budget_s = self._terms.budget_s
        if budget_s is None:
            return number >= self._terms.simulate
        return time.monotonic() + longest_s >= self._started + budget_s

    def _simulate(self, proposal: Proposal) -> None:
        """Run a mapping as anybody could: by its file."""
        text = choice_text(self._workload, proposal.chip, proposal.grids, {"by": proposal.name})
        with (
            TemporaryDirectory() as folder,
            self._watch(f"simulating {proposal.name}") as on_progress,
        ):
            file = Path(folder) / "mapping.yaml"
            write_atomic(file, text)
            request = replace(self._run, mapping=str(file))
            listener = Listener(on_progress=on_progress)
            try:
                result = run_request(request, Path(folder) / "run", self._workload, listener)
            except MappingError as error:
                if proposal.required:
                    raise
                self._unplaced[proposal.name] = str(error)
                return
        summary = result.summary
        if not result.ok:
            raise InvalidResultError(
                f"{self._workload.name}, {proposal.name}: the run breaks {sorted(summary.broken)}; "
                "please report it"
            )
        figures = MappingFigures(
            summary.time.makespan_ps, summary.energy.total_pj, summary.dram.nbytes
        )
        self.simulated.append(SimulatedMapping(proposal, figures))


def _row(mapping: SimulatedMapping) -> dict[str, object]:
    figures = mapping.figures
    return {
        "name": mapping.proposal.name,
        "time_ps": figures.time_ps,
        "energy_pj": round(figures.energy_pj),
        "dram_bytes": figures.dram_bytes,
    }
