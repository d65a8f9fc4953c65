"""Inference: nothing is run but the forward pass, and every sample runs until it is decided."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts
from tlm.space.program import Program


def forward_alone(program: Program, due: Due) -> Iterator[Check]:
    """No tile is of a phase that inference does not have; nothing to check where a job learns."""
    if due.job.learns:
        return
    strange = {t.phase.name for t in program.all_tiles() if t.phase not in due.job.phases}
    yield Check("no phase but the forward pass", not strange, f"{sorted(strange)}")


def samples_in_turn(program: Program, due: Due) -> Iterator[Check]:
    """A pipelined core takes group after group of samples that stop, and step after step of each.

    Of every span that samples are cut into, a group has ``mapping.group``.
    """
    if due.job.recording.steps_run is None or due.job.chip.mapping.schedule != "pipelined":
        return
    group_of, wrong = _groups(due.job), list[str]()
    for core, engines in enumerate(program.tiles):
        turns = [
            (group_of[sample], tile.step)
            for tile in engines["fp"]
            for sample in range(tile.sample, tile.sample + tile.samples)
        ]
        if turns != sorted(turns):
            wrong.append(f"core{core:02d}")
    yield Check("groups of samples in turn", not wrong, f"out of turn: {wrong[:3]}")


def _groups(job: Facts) -> list[int]:
    """The group of every sample."""
    cuts = sorted({cut for facts in job.layers for s in facts.slices for cut in s.neurons.samples})
    return [
        at // job.chip.mapping.group for first, end in pairwise(cuts) for at in range(end - first)
    ]


def decisions(program: Program, due: Due) -> Iterator[Check]:
    """A sample that may stop early runs to the step of its first output spike, or all steps."""
    recording, job = due.job.recording, due.job
    if recording.steps_run is None:
        return
    run = dict.fromkeys(range(job.workload.batch), 0)
    for tile in program.all_tiles():
        if tile.layer == job.layers[-1].index:
            for sample in range(tile.sample, tile.sample + tile.samples):
                run[sample] = max(run[sample], tile.step + tile.steps)
    asked = {}
    for sample in run:
        steps = [t for t, spikes in enumerate(recording.spikes[-1][:, sample]) if spikes.any()]
        asked[sample] = steps[0] + 1 if steps else job.workload.steps
    wrong = [f"sample {at}: {run[at]} steps, due {asked[at]}" for at in run if run[at] != asked[at]]
    if recording.answers is not None:  # what the file says, T without a spike
        recorded = np.minimum(recording.answers.decision_steps + 1, job.workload.steps).tolist()
        wrong += [
            f"sample {at}: {recorded[at]} recorded" for at in run if recorded[at] != asked[at]
        ]
    yield Check("every sample is decided", not wrong, f"{wrong[:3]}")
