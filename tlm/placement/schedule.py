"""Schedules: which samples run together, and which layers share a core at a time.

``layerwise``: one group, the whole batch, layer by layer. ``pipelined``: groups of samples follow
each other through all layers, FP of one beside BP and WG of the one before. ``wavefront``: one
group, FP by time step, so that a layer starts a step when the layer before has finished it. Where
samples stop by themselves, a group runs all its steps before the next group begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tlm.config.chip import Mapping
from tlm.space.grid import Grid
from tlm.space.region import Slice, Span, length, overlap

Group = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Groups of samples in order, and how many of them may be on the chip at a time.

    ``by_step`` says that FP runs by time step. ``steps_run`` are those of each sample, where they
    stop by themselves; then all layers of a step of a group come before its next step.
    """

    groups: tuple[Group, ...]
    in_flight: int
    by_step: bool
    steps_run: tuple[int, ...] | None = None

    @property
    def alternates(self) -> bool:
        """Whether the layers of a core take turns, so that each finds the buffers overwritten."""
        return len(self.groups) > 1 or self.by_step

    def parts(self, slices: Sequence[Slice], group: int) -> list[Slice]:
        """What of the slices belongs to one group, in the order of the slices."""
        return _parts(slices, self.groups[group])

    def stopping(self, steps_run: Sequence[int]) -> Schedule:
        """The same groups where every sample runs so many steps: one group after the other."""
        return replace(self, in_flight=1, by_step=True, steps_run=tuple(steps_run))

    def steps_of(self, group: int) -> list[int]:
        """The steps of every sample of the batch in the time of a group: of others none."""
        assert self.steps_run is not None
        steps = [0] * len(self.steps_run)
        for span in self.groups[group]:
            steps[slice(*span)] = self.steps_run[slice(*span)]
        return steps

    def running(self, slices: Sequence[Slice], group: int, step: int) -> list[Slice]:
        """What of the slices has samples of a group that still run at a step, in their order."""
        ends = [0, *(steps > step for steps in self.steps_of(group)), 0]
        turns = [at for at, (before, now) in enumerate(pairwise(ends)) if before != now]
        return _parts(slices, list(zip(turns[::2], turns[1::2], strict=True)))

    def held_samples(self, part: Slice) -> int:
        """The most samples of a slice that are on the chip at a time."""
        each = [
            sum(length(overlap(part.neurons.samples, span)) for span in group)
            for group in self.groups
        ]
        last = max(1, len(each) - self.in_flight + 1)
        return max(sum(each[first : first + self.in_flight]) for first in range(last))


def _parts(slices: Sequence[Slice], spans: Sequence[Span]) -> list[Slice]:
    """What of the slices belongs to some spans of samples."""
    parts: list[Slice] = []
    for part in slices:
        for span in spans:
            samples = overlap(part.neurons.samples, span)
            if length(samples):
                parts.append(replace(part, neurons=part.neurons._replace(samples=samples)))
    return parts


def schedule_of(mapping: Mapping, grids: Sequence[Grid], batch: int) -> Schedule:
    """The schedule of a mapping.

    Where samples are cut over cores, a group takes ``mapping.group`` samples of every span of the
    finest cut, so that all cores work on the same group.
    """
    if mapping.schedule != "pipelined":
        return Schedule((((0, batch),),), 1, mapping.schedule == "wavefront")
    cuts = sorted({cut for grid in grids for cut in grid.samples})
    spans = list(pairwise(cuts))
    most = max(length(span) for span in spans)
    groups = tuple(
        tuple(
            (span[0] + start, min(span[0] + start + mapping.group, span[1]))
            for span in spans
            if start < length(span)
        )
        for start in range(0, most, mapping.group)
    )
    return Schedule(groups, min(mapping.in_flight, len(groups)), by_step=False)


def layers_overlap(grids: Sequence[Grid]) -> bool:
    """Whether some layers share no core, so that they run at the same time."""
    cores = [frozenset(grid.cores) for grid in grids]
    return any(a.isdisjoint(b) for a in cores for b in cores)
