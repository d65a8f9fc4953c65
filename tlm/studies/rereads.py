"""Rereads: which tensors a run reads from DRAM more than once, how often, and why.

Bytes are those that the tiles ask for; a law holds that a run moves just these. The cause is told
from the plan: how a layer is cut, in which order its arrays walk, what fits which memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tlm.running.preparation import PlacedJob
from tlm.space.array_types import Ints
from tlm.space.phase import Phase
from tlm.space.program import Program
from tlm.space.tensor_class import tensor_class
from tlm.storage.plan import Plan
from tlm.studies.reread_causes import cause_over_time, causes_over_cores

MOST = 6  # how many are listed


@dataclass(frozen=True)
class Reread:
    """A class of tensor that a phase of a layer reads: bytes, and how often each of them.

    ``needed`` are the bytes read at least once by any core, ``by_cores`` the sum of what every core
    reads at least once, ``nbytes`` all that is read.
    """

    tensor: str
    phase: str
    layer: str
    nbytes: int
    by_cores: int
    needed: int
    causes: tuple[str, ...]

    @property
    def excess(self) -> int:
        """Bytes read beyond the first time."""
        return self.nbytes - self.needed

    @property
    def over_cores(self) -> float:
        """How many cores fetch a byte, on average."""
        return self.by_cores / self.needed

    @property
    def over_time(self) -> float:
        """How often a core fetches a byte, on average."""
        return self.nbytes / self.by_cores


def rereads(job: PlacedJob, program: Program, most: int = MOST) -> list[Reread]:
    """The largest excesses of bytes read, largest first."""
    plan = job.plan
    rows = [
        Reread(tensor, Phase(phase).name.lower(), plan.layers[layer].layer.name, *amounts, ())
        for (phase, layer, tensor), amounts in _amounts(plan, program)
    ]
    rows = [row for row in rows if row.excess]
    rows.sort(key=lambda row: (-row.excess, row.tensor, row.phase, row.layer))
    return [_explained(plan, row) for row in rows[:most]]


def _explained(plan: Plan, row: Reread) -> Reread:
    layer_plan = next(each for each in plan.layers if each.layer.name == row.layer)
    phase = Phase[row.phase.upper()]
    causes: tuple[str, ...] = ()
    if row.over_cores > 1:
        causes += causes_over_cores(layer_plan, row.tensor, phase, row.over_cores)
    if row.over_time > 1:
        causes += (cause_over_time(plan, layer_plan, row.tensor, phase),)
    return replace(row, causes=causes)


def _amounts(
    plan: Plan, program: Program
) -> Iterator[tuple[tuple[int, int, str], tuple[int, int, int]]]:
    """Bytes read, by cores, and at all, of every phase, layer and class of tensor."""
    placed = plan.addresses.placed
    names = [tensor_class(tensor.name) for tensor in placed]
    starts = np.array([tensor.address for tensor in placed], np.int64)
    runs: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for core, engines in enumerate(program.tiles):
        for tiles in engines.values():
            for tile in tiles:
                runs[tile.phase, tile.layer] += [(core, *run) for run in tile.reads]
    for (phase, layer), pieces in sorted(runs.items()):
        if not pieces:
            continue
        core, first, nbytes = np.array(pieces, np.int64).T
        tensor = np.searchsorted(starts, first, side="right") - 1
        kinds = np.array([names[at] for at in tensor])
        for kind in sorted(set(kinds.tolist())):
            at, sizes = first[kinds == kind], nbytes[kinds == kind]
            apart = core[kinds == kind] * plan.addresses.top + at
            amounts = int(sizes.sum()), _covered(apart, sizes), _covered(at, sizes)
            yield (phase, layer, kind), amounts


def _covered(first: Ints, nbytes: Ints) -> int:
    """Bytes that lie in at least one of some runs."""
    order = np.argsort(first, kind="stable")
    first, end = first[order], (first + nbytes)[order]
    reach = np.concatenate(([first[0]], np.maximum.accumulate(end)[:-1]))
    return int(np.maximum(0, end - np.maximum(first, reach)).sum())
