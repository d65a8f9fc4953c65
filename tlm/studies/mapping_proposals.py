"""Mappings that are worth a simulation: the known ones of a job, and the best by estimate.

Known are the mapping that ``run`` uses by itself, the one with schedule ``layerwise`` where the
chip has another, and those of the user's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tlm.config.chip import ChipConfig
from tlm.config.layers import load_chip
from tlm.errors import MappingError
from tlm.placement.estimate import MappingEstimate, estimate
from tlm.placement.profile import Profile
from tlm.placement.search import Chosen, Search
from tlm.placement.spread import spread
from tlm.placement.target import Target
from tlm.running.preparation import PlacedJob, place_job
from tlm.running.request import RunRequest
from tlm.space.grid import Grid
from tlm.storage.plan import Plan
from tlm.storage.planning import JobOnChip, job_on_chip, make_plan
from tlm.workload.model import Workload

DEFAULT, LAYERWISE = "default", "layerwise"
_STEPS = "mapping.search_steps"
_SEARCH_KEYS = {"search", "search_steps", "objective"}  # of ``mapping``: no run depends on them


@dataclass(frozen=True)
class Proposal:
    """A mapping by name: its grids, the chip with its settings, and its estimated cost.

    ``required`` says that the comparison ends if it cannot be placed.
    """

    name: str
    chip: ChipConfig
    grids: tuple[Grid, ...]
    estimate: MappingEstimate
    required: bool = False

    @property
    def cores(self) -> list[int]:
        """How many cores each layer has."""
        return [grid.split.parts for grid in self.grids]

    def same_as(self, other: Proposal) -> bool:
        """Whether a run cannot tell the two apart."""
        settings, others = (
            each.chip.mapping.model_dump(exclude=_SEARCH_KEYS) for each in (self, other)
        )
        return settings == others and self.grids == other.grids


@dataclass(frozen=True)
class Proposals:
    """The known mappings, and what a search for others begins with: the job's layers, the chip.

    ``unplaced`` says by name why a known mapping cannot be laid over the chip.
    """

    known: tuple[Proposal, ...]
    unplaced: dict[str, str]
    profiles: Sequence[Profile]
    target: Target

    def search(self) -> Chosen:
        """Mappings compared by estimate."""
        return Search(self.profiles, self.target).run()

    def estimated(self, chosen: Chosen) -> Iterator[Proposal]:
        """Those of a search that are none of the known, as :func:`spread` orders them."""
        known = [proposal.grids for proposal in self.known]
        number = 0
        for candidate in spread(chosen.ranked, known, chosen.objective):
            name, grids = f"estimate {number + 1}", candidate.grids
            proposal = Proposal(name, self.target.chip, grids, candidate.estimate)
            if not any(proposal.same_as(other) for other in self.known):
                number += 1
                yield proposal


def make_proposals(
    request: RunRequest, search: Sequence[str], files: Sequence[str], workload: Workload
) -> Proposals:
    """The mappings of a job on a chip that are worth a simulation.

    Args:
        request: job, chip and overrides; it names no mapping.
        search: overrides of ``mapping.search`` and ``mapping.objective`` for the search.
        files: mapping files of the user.
        workload: the job, opened.

    Raises:
        TlmError: job, chip or a file is refused, as :func:`place_job` does.
    """
    searching = load_chip(request.chip, (*request.overrides, *search))
    request = replace(request, overrides=_run_overrides(request))
    default = place_job(request, workload)
    known = [_proposal(DEFAULT, default.plan, default, required=True)]
    unplaced = {}
    if default.plan.chip.mapping.schedule != "layerwise":
        try:
            known.append(_proposal(LAYERWISE, _layerwise(default), default))
        except MappingError as error:
            unplaced[LAYERWISE] = str(error)
    for file in files:
        placed = place_job(replace(request, mapping=file), workload)
        known.append(_proposal(file, placed.plan, placed, required=True))
    chip = searching.config.model_copy(update={"name": default.chip.config.name})
    job = _on_chip(default, chip)
    return Proposals(tuple(known), unplaced, job.profiles(), job.target())


def _run_overrides(request: RunRequest) -> tuple[str, ...]:
    """The overrides without the steps of a search, which ``run`` refuses if the chip has none."""
    rest = tuple(text for text in request.overrides if text.partition("=")[0].strip() != _STEPS)
    searches = load_chip(request.chip, rest).config.mapping.search != "none"
    return request.overrides if searches else rest


def _layerwise(placed: PlacedJob) -> Plan:
    chip = placed.chip.config
    mapping = chip.mapping.model_copy(update={"schedule": "layerwise"})
    loaded = replace(placed.chip, config=chip.model_copy(update={"mapping": mapping}))
    return make_plan(placed.workload, placed.recording, loaded, placed.timing)


def _proposal(name: str, plan: Plan, placed: PlacedJob, *, required: bool = False) -> Proposal:
    job = _on_chip(placed, plan.chip)
    cost = estimate(job.profiles(), plan.grids, job.target())
    return Proposal(name, plan.chip, tuple(plan.grids), cost, required)


def _on_chip(placed: PlacedJob, chip: ChipConfig) -> JobOnChip:
    """A placed job on its chip, with another ``mapping`` section."""
    loaded = replace(placed.chip, config=chip)
    return job_on_chip(placed.workload, placed.recording, loaded, placed.timing)
