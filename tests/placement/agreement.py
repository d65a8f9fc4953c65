"""How well the estimate of a mapping agrees with its simulation, over random mappings of a job.

``python -m tests.placement.agreement JOB ... [--mappings N] [--chip neuromc-20|8x8|separate]``
draws valid mappings (every layer a random cut of those that its search has, on random cores),
estimates and simulates each, and prints for time, energy and DRAM bytes the rank correlation
(Spearman) and the worst relative error. The same seed draws the same mappings.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlm.placement.cutting import candidates, cuts_of
from tlm.placement.estimate import estimate
from tlm.placement.profile import Profile
from tlm.placement.target import Target
from tlm.running.preparation import PlacedJob, place_job
from tlm.running.request import RunRequest
from tlm.running.runner import run_request
from tlm.space.grid import Grid
from tlm.storage.mapping_file import choice_text
from tlm.storage.planning import job_on_chip
from tlm.trace.summary import Summary
from tlm.workload.bundled import bundled_names

CHIPS = {
    "neuromc-20": (),
    "8x8": ("mesh.columns=8", "mesh.rows=8", "cores=64"),
    "separate": ("core.memory.sharing=separate",),
}
FIGURES = ("time", "energy", "bytes")


@dataclass(frozen=True)
class Agreement:
    """Estimates beside simulations, mapping by mapping: time in ps, energy in pJ, DRAM bytes."""

    estimated: np.ndarray
    simulated: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Relative errors of the estimates, [mapping, figure]."""
        return np.asarray(self.estimated / self.simulated - 1)

    @property
    def spearman(self) -> list[float]:
        """Rank correlation of every figure."""
        pairs = zip(self.estimated.T, self.simulated.T, strict=True)
        return [float(np.corrcoef(_ranks(a), _ranks(b))[0, 1]) for a, b in pairs]

    @property
    def worst(self) -> list[float]:
        """The largest relative error of every figure, with its sign."""
        return [float(column[np.abs(column).argmax()]) for column in self.errors.T]


def _ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value among all in rising order; equal ones share their mean place."""
    order, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    del order
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[inverse])


@dataclass(frozen=True)
class Subject:
    """A bundled job on one of the chips: placed as by default, and what its estimates rest on."""

    placed: PlacedJob
    chip: str
    profiles: list[Profile]
    target: Target


def subject(name: str, chip: str) -> Subject:
    """The job ``name`` on a chip of ``CHIPS``."""
    placed = place_job(RunRequest(name, overrides=CHIPS[chip], trace="off"))
    job = job_on_chip(placed.workload, placed.recording, placed.chip, placed.timing)
    return Subject(placed, chip, job.profiles(), job.target())


def random_mappings(job: Subject, number: int, seed: int = 0) -> Iterator[list[Grid]]:
    """Mappings whose layers are cut at random, on random cores."""
    draw, chip = random.Random(seed), job.target.chip
    splits = [
        list(candidates(profile.layer, profile.batch, chip.cores, "auto", job.target.arrays))
        for profile in job.profiles
    ]
    for _ in range(number):
        yield [
            cuts_of(profile.layer, profile.work, [draw.choice(allowed)],
                    draw.sample(range(chip.cores), chip.cores))[0]
            for profile, allowed in zip(job.profiles, splits, strict=True)
        ]  # fmt: skip


def simulated(job: Subject, grids: Sequence[Grid]) -> Summary:
    """What a run of a mapping leaves."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mapping.yaml"
        plan, reasons = job.placed.plan, {"by": "a random draw"}
        file.write_text(choice_text(plan.workload, plan.chip, grids, reasons))
        request = RunRequest(
            job.placed.workload.name, overrides=CHIPS[job.chip], trace="off", mapping=str(file)
        )
        return run_request(request, Path(folder) / "run").summary


def agreement(job: Subject, number: int, seed: int = 0) -> Agreement:
    """Random mappings of a job on a chip, estimated and simulated."""
    rows = []
    for grids in random_mappings(job, number, seed):
        cost, run = estimate(job.profiles, grids, job.target), simulated(job, grids)
        rows.append([
            (cost.time_ps, cost.energy_pj, cost.dram_bytes),
            (run.time.makespan_ps, run.energy.total_pj, run.dram.nbytes),
        ])  # fmt: skip
    both = np.array(rows, np.float64)
    return Agreement(both[:, 0], both[:, 1])


def main() -> None:
    """Print a line for every job and chip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", default=bundled_names("training"))
    parser.add_argument("--chip", action="append", choices=CHIPS)
    parser.add_argument("--mappings", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.jobs:
        for chip in options.chip or CHIPS:
            measured = agreement(subject(name, chip), options.mappings, options.seed)
            figures = zip(FIGURES, measured.spearman, measured.worst, strict=True)
            text = "  ".join(f"{what} {rho:.3f} {worst:+4.0%}" for what, rho, worst in figures)
            print(f"{name:15} {chip:11} {options.mappings:4}  {text}", flush=True)


if __name__ == "__main__":
    main()
