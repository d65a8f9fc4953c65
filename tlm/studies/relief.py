"""What if a run had twice as much of one resource: its program, run again on a relieved chip.

The mapping stays that of the run: a relieved chip gets the tiles, messages and addresses of the
original, so that what changes is the resource and nothing else. Larger memories alone would gain
nothing so: for them, what stays on chip is decided anew, every slice on the core it had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tlm.config.tables.energy import load_energy
from tlm.errors import ConfigError, DeadlockError, InvalidResultError
from tlm.hardware.chip import Chip
from tlm.hardware.energy import energy_rows
from tlm.kernel import StuckError, run_until
from tlm.laws import Bill, check_run
from tlm.laws.due import due_of
from tlm.program.build import build_program
from tlm.running.request import PreparedRun
from tlm.space.phase import ENGINES
from tlm.space.tile import Tile
from tlm.storage.planning import make_plan

FACTOR = 2
RESOURCES = ("dram", "noc", "dma", *ENGINES, "memory")
KNOBS = {
    "dram": "dram.device: every timing halved",
    "noc": "noc.link x 2",
    "dma": "core.outstanding x 2",
    **{engine: f"core.engines.{engine}: cycles halved" for engine in ENGINES},
    "memory": "core.memory: every size x 2",
}


@dataclass(frozen=True)
class Rerun:
    """A job run once more: makespan in ps and total energy in pJ."""

    makespan_ps: int
    energy_pj: float


def relieve(job: PreparedRun, resource: str) -> PreparedRun:
    """The same job with ``FACTOR`` times as much of one resource of its chip.

    ``dram`` halves the clock period of the channels (and the latency of the ideal model), ``noc``
    doubles the width of its links, ``dma`` the transactions an engine keeps in flight, and
    ``fp``, ``bp``, ``wg`` halve the cycles of every tile of that engine, rounded up; ``memory``
    doubles the capacities of ``core.memory``, whose accesses may then cost more energy.

    Raises:
        ConfigError: an unknown resource.
        MappingError: what larger memories hold does not fit otherwise.
    """
    if resource in ENGINES:
        return _faster_engine(job, resource)
    config = job.chip.config
    if resource == "dram":
        timing = job.timing.model_copy(update={"tck_ps": job.timing.tck_ps // FACTOR})
        dram = config.dram.model_copy(update={"latency": config.dram.latency // FACTOR})
        return replace(_with(job, dram=dram), timing=timing)
    if resource == "noc":
        return _with(job, noc=config.noc.model_copy(update={"link": config.noc.link * FACTOR}))
    if resource == "dma":
        window = {"outstanding": config.core.outstanding * FACTOR}
        return _with(job, core=config.core.model_copy(update=window))
    if resource == "memory":
        return _larger_memories(job)
    raise ConfigError(f"resource: expected one of {', '.join(RESOURCES)}, got {resource!r}")


def _with(job: PreparedRun, **sections: Any) -> PreparedRun:
    chip = replace(job.chip, config=job.chip.config.model_copy(update=sections))
    return replace(job, chip=chip)


def _faster_engine(job: PreparedRun, engine: str) -> PreparedRun:
    def faster(tile: Tile) -> Tile:
        return replace(tile, cycles=-(-tile.cycles // FACTOR))

    tiles = [
        {name: [faster(t) for t in mine] if name == engine else mine for name, mine in core.items()}
        for core in job.program.tiles
    ]
    return replace(job, program=replace(job.program, tiles=tiles))


def _larger_memories(job: PreparedRun) -> PreparedRun:
    memory = job.chip.config.core.memory
    sizes = {name: FACTOR * bits for name, bits in memory if name != "banks"}
    memory = memory.model_copy(update=sizes)
    larger = _with(job, core=job.chip.config.core.model_copy(update={"memory": memory}))
    chip = replace(larger.chip, energy=load_energy(job.chip.energy.path, memory))
    grids = [layer.grid for layer in job.plan.layers]
    plan = make_plan(job.workload, job.recording, chip, job.timing, grids)
    due = due_of(plan, job.recording)
    return replace(job, chip=chip, plan=plan, program=build_program(plan), due=due)


def rerun(job: PreparedRun) -> Rerun:
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
    bill = Bill(rows, total_pj, job.chip.energy)
    checks = check_run(chip, job.program, job.due, bill)
    broken = [check.name for check in checks if not check.holds]
    if broken:
        raise InvalidResultError(f"what-if run: breaks {', '.join(broken)}; please report it")
    return Rerun(chip.env.now, total_pj)
