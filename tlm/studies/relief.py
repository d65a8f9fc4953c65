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
from tlm.running.preparation import PreparedRun
from tlm.space.phase import ENGINES
from tlm.space.tile import Tile
from tlm.storage.planning import make_plan

FACTOR = 2
CYCLE_LAWS = ("array work by position", "cycles of the units")
RESOURCES = ("dram", "noc", "dma", *ENGINES, "memory")
KNOBS = {
    "dram": "dram.device: every timing halved",
    "noc": "noc.link x 2",
    "dma": "core.outstanding x 2",
    **{engine: f"core.engines.{engine}: cycles halved" for engine in ENGINES},
    "memory": "core.memory: every size x 2",
}


@dataclass(frozen=True)
class TimeAndEnergy:
    """What a run comes to: makespan in ps and total energy in pJ."""

    makespan_ps: int
    energy_pj: float


def relieve(prepared: PreparedRun, resource: str) -> PreparedRun:
    """The same run with ``FACTOR`` times as much of one resource of its chip.

    ``dram`` halves the clock period of the channels (and the latency of the ideal model), ``noc``
    doubles the width of its links, ``dma`` the transactions an engine keeps in flight, and
    ``fp``, ``bp``, ``wg`` halve the cycles of every tile of that engine, rounded up; ``memory``
    doubles the capacities of ``core.memory``, whose accesses may then cost more energy.

    Raises:
        ConfigError: an unknown resource.
        MappingError: what larger memories hold does not fit otherwise.
    """
    if resource in ENGINES:
        return _faster_engine(prepared, resource)
    config = prepared.chip.config
    if resource == "dram":
        timing = prepared.timing.model_copy(update={"tck_ps": prepared.timing.tck_ps // FACTOR})
        dram = config.dram.model_copy(update={"latency": config.dram.latency // FACTOR})
        return replace(_with(prepared, dram=dram), timing=timing)
    if resource == "noc":
        return _with(prepared, noc=config.noc.model_copy(update={"link": config.noc.link * FACTOR}))
    if resource == "dma":
        window = {"outstanding": config.core.outstanding * FACTOR}
        return _with(prepared, core=config.core.model_copy(update=window))
    if resource == "memory":
        return _larger_memories(prepared)
    raise ConfigError(f"resource: expected one of {', '.join(RESOURCES)}, got {resource!r}")


def _with(prepared: PreparedRun, **sections: Any) -> PreparedRun:
    chip = replace(prepared.chip, config=prepared.chip.config.model_copy(update=sections))
    return replace(prepared, chip=chip)


def _faster_engine(prepared: PreparedRun, engine: str) -> PreparedRun:
    def faster(tile: Tile) -> Tile:
        return replace(tile, cycles=-(-tile.cycles // FACTOR))

    tiles = [
        {name: [faster(t) for t in run] if name == engine else run for name, run in core.items()}
        for core in prepared.program.tiles
    ]
    return replace(prepared, program=replace(prepared.program, tiles=tiles))


def _larger_memories(prepared: PreparedRun) -> PreparedRun:
    memory = prepared.chip.config.core.memory
    sizes = {name: FACTOR * bits for name, bits in memory if name != "banks"}
    memory = memory.model_copy(update=sizes)
    larger = _with(prepared, core=prepared.chip.config.core.model_copy(update={"memory": memory}))
    table = load_energy(prepared.chip.energy.path, larger.chip.config)
    chip = replace(larger.chip, energy=table)
    grids = [layer.cut.grid for layer in prepared.plan.layers]
    plan = make_plan(prepared.workload, prepared.recording, chip, prepared.timing, grids)
    due = due_of(plan, prepared.recording)
    return replace(prepared, chip=chip, plan=plan, program=build_program(plan), due=due)


def simulate(prepared: PreparedRun, relieved: str = "") -> TimeAndEnergy:
    """Simulate a run without leaving files; ``relieved`` is the resource it has more of.

    The laws of cycles do not hold for the tiles of an engine whose cycles were halved.

    Raises:
        DeadlockError: it gets stuck.
        InvalidResultError: it breaks an invariant.
    """
    chip = Chip(prepared.chip.config, prepared.timing, prepared.program, None, None)
    try:
        run_until(chip.env, chip.finished)
    except StuckError as error:
        raise DeadlockError(f"deadlock in a what-if run: {error}") from error
    chip.settle()
    rows = energy_rows(chip, prepared.chip.energy)
    total_pj = math.fsum(row.total_pj for row in rows)
    bill = Bill(rows, total_pj, prepared.chip.energy)
    checks = check_run(chip, prepared.program, prepared.due, bill)
    aside = CYCLE_LAWS if relieved in ENGINES else ()
    broken = [check.name for check in checks if not check.holds and check.name not in aside]
    if broken:
        raise InvalidResultError(f"what-if run: breaks {', '.join(broken)}; please report it")
    return TimeAndEnergy(chip.env.now, total_pj)
