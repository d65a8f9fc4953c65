"""What if one resource were twice as fast: the same program, run again on a relieved chip.

The mapping stays that of the run: a relieved chip gets the tiles, messages and addresses of the
original, so that what changes is the resource and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tlm.errors import ConfigError, DeadlockError, InvalidResultError
from tlm.hardware.chip import Chip
from tlm.hardware.energy import energy_rows
from tlm.invariants import check_run
from tlm.kernel import StuckError, run_until
from tlm.runner import Job
from tlm.task import ENGINES, Tile

FACTOR = 2
RESOURCES = ("dram", "noc", "dma", *ENGINES)
KNOBS = {
    "dram": "dram.device: every timing halved",
    "noc": "noc.link x 2",
    "dma": "core.outstanding x 2",
    **{engine: f"core.engines.{engine}: cycles halved" for engine in ENGINES},
}


@dataclass(frozen=True)
class Rerun:
    """A job run once more: makespan in ps and total energy in pJ."""

    makespan_ps: int
    energy_pj: float


def relieve(job: Job, resource: str) -> Job:
    """The same job with one resource of its chip ``FACTOR`` times as fast.

    ``dram`` halves the clock period of the channels (and the latency of the ideal model), ``noc``
    doubles the width of its links, ``dma`` the transactions an engine keeps in flight, and
    ``fp``, ``bp``, ``wg`` halve the cycles of every tile of that engine, rounded up.

    Raises:
        ConfigError: an unknown resource.
    """
    if resource in ENGINES:
        return _faster_engine(job, resource)
    config = job.chip.config
    if resource == "dram":
        timing = replace(job.timing, tck_ps=job.timing.tck_ps // FACTOR)
        dram = config.dram.model_copy(update={"latency": config.dram.latency // FACTOR})
        return replace(_with(job, dram=dram), timing=timing)
    if resource == "noc":
        return _with(job, noc=config.noc.model_copy(update={"link": config.noc.link * FACTOR}))
    if resource == "dma":
        window = {"outstanding": config.core.outstanding * FACTOR}
        return _with(job, core=config.core.model_copy(update=window))
    raise ConfigError(f"resource: expected one of {', '.join(RESOURCES)}, got {resource!r}")


def _with(job: Job, **sections: Any) -> Job:
    chip = replace(job.chip, config=job.chip.config.model_copy(update=sections))
    return replace(job, chip=chip)


def _faster_engine(job: Job, engine: str) -> Job:
    def faster(tile: Tile) -> Tile:
        return replace(tile, cycles=-(-tile.cycles // FACTOR))

    tiles = [
        {name: [faster(t) for t in mine] if name == engine else mine for name, mine in core.items()}
        for core in job.program.tiles
    ]
    return replace(job, program=replace(job.program, tiles=tiles))


def rerun(job: Job) -> Rerun:
    """Simulate a job without leaving files.

    Raises:
        DeadlockError: it gets stuck.
        InvalidResultError: it breaks an invariant.
    """
    chip = Chip(job.chip.config, job.timing, job.program, None, None)
    try:
        run_until(chip.env, chip.finished)
    except StuckError as error:
        raise DeadlockError(f"deadlock in a what-if run: {error}") from error
    chip.settle()
    rows = energy_rows(chip, job.chip.energy)
    total_pj = math.fsum(row.total_pj for row in rows)
    checks = check_run(chip, job.program, rows, total_pj, job.chip.energy)
    broken = [check.name for check in checks if not check.holds]
    if broken:
        raise InvalidResultError(f"what-if run: breaks {', '.join(broken)}; please report it")
    return Rerun(chip.env.now, total_pj)
