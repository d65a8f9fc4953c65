"""A run with twice as much of one resource: its program, on a relieved chip.

The mapping stays that of the run, every slice on the core it had. A relieved chip gets the tiles,
messages and addresses of the original, so that what changes is the resource and nothing else; but
for ``PLANNED_ANEW``, which would gain nothing so: there, what stays on chip and the addresses
are decided anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlm.config.chip import ChipConfig
from tlm.config.tables.energy import load_energy
from tlm.config.units import MEMORY, show
from tlm.errors import ConfigError
from tlm.laws.due import due_of
from tlm.program.build import build_program
from tlm.running.preparation import PreparedRun
from tlm.space.phase import ENGINES
from tlm.space.tile import Tile
from tlm.storage.planning import make_plan

FACTOR = 2
RESOURCES = ("dram", "channels", "nodes", "noc", "dma", *ENGINES, "memory")
PLANNED_ANEW = ("channels", "nodes", "memory")
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
