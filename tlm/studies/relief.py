"""What if a run had twice as much of one resource: its program, run again on a relieved chip.

The mapping stays that of the run: a relieved chip gets the tiles, messages and addresses of the
original, so that what changes is the resource and nothing else. Larger memories alone would gain
nothing so: for them, what stays on chip is decided anew, every slice on the core it had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tlm.config.chip import ChipConfig
from tlm.config.tables.energy import load_energy
from tlm.config.units import MEMORY, show
from tlm.errors import ConfigError, DeadlockError, InvalidResultError
from tlm.hardware.chip import Chip, Site
from tlm.hardware.energy import energy_rows
from tlm.kernel import StuckError, run_until
from tlm.laws import Bill, check_run
from tlm.laws.due import due_of
from tlm.program.build import build_program
from tlm.running.kernels import kernel_of
from tlm.running.preparation import PreparedRun
from tlm.space.phase import ENGINES
from tlm.space.tile import Tile
from tlm.storage.planning import make_plan

FACTOR = 2
CYCLE_LAWS = ("array work by position", "cycles of the units")
RESOURCES = ("dram", "channels", "nodes", "noc", "dma", *ENGINES, "memory")
_IN_WORDS = {
    "dram": "dram.device: every timing halved",
    **{engine: f"core.engines.{engine}: cycles halved" for engine in ENGINES},
    "memory": "core.memory: every size x 2",
}
NEAREST_KEYS = {
    "dram": "dram.device",
    **{engine: f"core.engines.{engine}.rows and .cols, core.clock, cores" for engine in ENGINES},
}


def relievable(prepared: PreparedRun) -> tuple[str, ...]:
    """Of ``RESOURCES`` those that the run uses: inference has no BP and no WG."""
    unused = () if prepared.workload.learns else ("bp", "wg")
    return tuple(resource for resource in RESOURCES if resource not in unused)


def settings(resource: str, chip: ChipConfig) -> list[str]:
    """What ``--set`` takes to relieve a resource as :func:`relieve` does; none if no keys do."""
    if resource == "noc":
        return [f"noc.link={FACTOR * chip.noc.link} bit"]
    if resource == "dma":
        return [f"core.outstanding={FACTOR * chip.core.outstanding}"]
    if resource == "channels":
        channels = FACTOR * chip.dram.channels
        return [f"dram.channels={channels}", _nodes(FACTOR * chip.dram_nodes)]
    if resource == "nodes":
        return [_nodes(spread_nodes(chip))]
    if resource == "memory":
        sizes = _larger_sizes(chip).items()
        return [f"core.memory.{name}={show(MEMORY, bits)}" for name, bits in sizes]
    return []


def _nodes(nodes: tuple[int, ...]) -> str:
    return f"dram.nodes=[{','.join(map(str, nodes))}]"


def knob(resource: str, chip: ChipConfig) -> str:
    """How a resource is relieved, in few words: chip values, or what becomes of them."""
    return _IN_WORDS.get(resource) or " ".join(settings(resource, chip))


@dataclass(frozen=True)
class TimeAndEnergy:
    """What a run comes to: makespan in ps and total energy in pJ."""

    makespan_ps: int
    energy_pj: float


def relieve(prepared: PreparedRun, resource: str) -> PreparedRun:
    """The same run with ``FACTOR`` times as much of one resource of its chip.

    ``dram`` halves the clock period of the channels (and the latency of the ideal model),
    ``channels`` doubles their number, two at each node, ``nodes`` moves them to
    :func:`spread_nodes`, both with new addresses. ``noc`` doubles the width of its links, ``dma``
    the transactions an engine keeps in flight, and ``fp``, ``bp``, ``wg`` halve the cycles of every
    tile of that engine, rounded up; ``memory`` doubles the capacities of ``core.memory``, whose
    accesses may then cost more energy.

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
    if resource == "channels":
        channels = FACTOR * config.dram.channels
        twice = {"channels": channels, "nodes": FACTOR * config.dram_nodes}
        return _planned_anew(_with(prepared, dram=config.dram.model_copy(update=twice)))
    if resource == "nodes":
        moved = {"nodes": spread_nodes(config)}
        return _planned_anew(_with(prepared, dram=config.dram.model_copy(update=moved)))
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
    memory = memory.model_copy(update=_larger_sizes(prepared.chip.config))
    larger = _with(prepared, core=prepared.chip.config.core.model_copy(update={"memory": memory}))
    chip = replace(larger.chip, energy=load_energy(prepared.chip.energy.path, larger.chip.config))
    return _planned_anew(replace(larger, chip=chip))


def _larger_sizes(chip: ChipConfig) -> dict[str, int]:
    return {name: FACTOR * bits for name, bits in chip.core.memory.sizes.items()}


def _planned_anew(relieved: PreparedRun) -> PreparedRun:
    """Storage and program for a chip that was changed, every slice on the core it had."""
    grids = [layer.cut.grid for layer in relieved.plan.layers]
    parts = (relieved.workload, relieved.recording, relieved.chip, relieved.timing)
    plan = make_plan(*parts, grids)
    due = due_of(plan, relieved.recording)
    return replace(relieved, plan=plan, program=build_program(plan), due=due)


def spread_nodes(chip: ChipConfig) -> tuple[int, ...]:
    """A node for each DRAM channel: rows and columns of their own, as far as the mesh has them.

    Where two channels share a row or column, routes along x, then y, share their links: so Abts et
    al., "Achieving Predictable Performance through Better Memory Controller Placement in Many-Core
    CMPs" (ISCA 2009), place them along diagonals.
    """
    columns, rows, channels = chip.mesh.columns, chip.mesh.rows, chip.dram.channels
    across = [*range(1, channels, 2), *range(0, channels, 2)]
    return tuple(
        (2 * y + 1) * rows // (2 * channels) * columns + (2 * x + 1) * columns // (2 * channels)
        for y, x in enumerate(across)
    )


def simulate(prepared: PreparedRun, halved_cycles: bool = False) -> TimeAndEnergy:
    """Simulate a run without leaving files.

    Laws that tie a tile's cycles to its work are not asked of a chip with ``halved_cycles``.

    Raises:
        DeadlockError: it gets stuck.
        InvalidResultError: it breaks an invariant.
    """
    chip = Chip(
        prepared.chip.config, prepared.timing, prepared.program, None, None,
        Site.of(kernel_of().model),
    )  # fmt: skip
    try:
        run_until(chip.env, chip.finished)
    except StuckError as error:
        raise DeadlockError(f"deadlock in a what-if run: {error}") from error
    chip.settle()
    rows = energy_rows(chip, prepared.chip.energy)
    total_pj = math.fsum(row.total_pj for row in rows)
    bill = Bill(rows, total_pj, prepared.chip.energy)
    checks = check_run(chip, prepared.program, prepared.due, bill)
    chip.env.clear()
    waived = CYCLE_LAWS if halved_cycles else ()
    broken = [check.name for check in checks if not check.holds and check.name not in waived]
    if broken:
        raise InvalidResultError(f"what-if run: breaks {', '.join(broken)}; please report it")
    return TimeAndEnergy(chip.env.now, total_pj)
