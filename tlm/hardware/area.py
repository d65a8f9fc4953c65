"""Area: how many of each unit a chip has, times the table; memories by their capacity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.config.core import EngineConfig
from tlm.config.layers import LoadedChip
from tlm.config.tables import sram
from tlm.config.tables.area import AreaTable
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.core_sram import core_memories
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.config.tables.table_file import Confidence

PORTS = 5  # of a router: four neighbours and the core
POSITION_BITS = 16  # of a queue's entry
UM2_PER_MM2 = 10**6

# Operators a lane of each unit needs for one result a cycle (NeuroMC's model: operations of soma,
# gradient unit and Adam); the gradient unit also adds partial sums of other cores.
_SOMA = {"mux": 1, "fp16_add": 1, "fp16_multiply": 1, "compare": 3}
_GRADIENT = {"mux": 1, "fp16_add": 2, "fp16_multiply": 4, "fp32_add": 1}
_OPTIMIZER = {"fp16_add": 4, "fp16_multiply": 11, "fp16_root": 1, "fp32_add": 1}
# An element of an array: every engine may meet analog operands, so each has a multiplier. Its
# registers are two weights (one is loaded while the other works), an operand and a sum.
_ELEMENT = {"fp16_add": 1, "fp16_multiply": 1, "mux": 1, "register_bit": 64}


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One line: ``count`` instances of ``each_um2`` in all, ``part`` of ``component``."""

    component: str
    part: str
    count: int
    each_um2: float
    source: str
    confidence: Confidence

    @property
    def total_mm2(self) -> float:
        """Area of the row in mm2."""
        return self.count * self.each_um2 / UM2_PER_MM2


def area_rows(chip: ChipConfig, table: AreaTable) -> list[AreaRow]:
    """Every part of the chip with its area, in a fixed order.

    Logic is divided by the table's ``density``. Units of one kind within a part share a row.
    """
    rows = list(_memories(chip))
    for component, part, instances, needs in _logic(chip):
        for name, each in needs.items():
            unit = table.units[name]
            rows.append(
                AreaRow(
                    component,
                    f"{part}: {name}",
                    instances * each,
                    unit.area_um2 / table.density,
                    unit.source,
                    unit.confidence,
                )
            )
    return rows


def chip_area(chip: LoadedChip) -> list[AreaRow]:
    """The area of a loaded chip; a core that its energy table makes of a table is of that, too."""
    rows, core = area_rows(chip.config, chip.area), chip.energy.array_core
    if core is None:
        return rows
    array = core_array(core, load_synapse_array(core.array))
    gates = glm_unit(core).gates + core.gates.control.value
    logic_mm2 = gates * core.gate.area.value / core.gate.floor_share.value / UM2_PER_MM2
    source = f"inference core {core.name}"
    made = {"array": array.area_mm2, "logic": logic_mm2}
    return [
        *(
            AreaRow("core", part, chip.config.cores, mm2 * UM2_PER_MM2, source, "assumed")
            for part, mm2 in made.items()
        ),
        *(row for row in rows if row.component in ("noc", "dram")),
    ]


def peak_tflops(chip: ChipConfig) -> float:
    """A multiplication and an addition for each element of all arrays in every cycle."""
    engines = chip.core.engines
    elements = sum(e.rows * e.cols for e in (engines.fp, engines.bp, engines.wg))
    return 2 * elements * chip.core_cycles_per_s / 1e12


def _memories(chip: ChipConfig) -> Iterator[AreaRow]:
    for memory in core_memories(chip.core):
        each, count = sram.area_mm2(memory.bits) * UM2_PER_MM2, chip.cores * memory.count
        component, part = "memory", memory.name
        if memory.engine:
            component, part = "skipping", f"{memory.engine}: {memory.name}"
        yield AreaRow(component, part, count, each, sram.SOURCE, "derived")


def _engines(chip: ChipConfig) -> dict[str, EngineConfig]:
    engines = chip.core.engines
    return {"fp": engines.fp, "bp": engines.bp, "wg": engines.wg}


def _logic(chip: ChipConfig) -> Iterator[tuple[str, str, int, dict[str, int]]]:
    """(component, part, instances, units of each instance) of everything but memories."""
    core, noc = chip.core, chip.noc
    for name, engine in _engines(chip).items():
        yield name, "array", chip.cores * engine.rows * engine.cols, _ELEMENT
        if engine.mode != "dense":
            yield "skipping", name, chip.cores, _skipping(engine, core.scan_slots, core.queue_depth)
    for component, part, units in (
        ("fp", "soma", _SOMA),
        ("bp", "gradient unit", _GRADIENT),
        ("wg", "optimizer", _OPTIMIZER),
    ):
        yield component, part, chip.cores * core.unit_lanes, units
    yield "control", "core", chip.cores, {"core_control": 1}
    buffers = PORTS * noc.vcs * noc.vc_buffer * noc.link
    crossing = PORTS * PORTS * noc.link
    units = {"register_bit": buffers, "crossbar_bit": crossing, "router_control": 1}
    yield "noc", "router", chip.routers, units
    yield "dram", "channel", chip.dram.channels, {"dram_channel": 1}


def _skipping(engine: EngineConfig, scan_slots: int, queue_depth: int) -> dict[str, int]:
    """The zero-scan, once for each tensor it looks at; in mode ``element`` once for each lane.

    That mode also has the lanes' queues of positions, and an adder for each column that adds up
    the sums of lanes out of step.
    """
    watched = engine.skip_spikes + engine.skip_gradients + engine.skip_outputs
    if engine.mode == "vector":
        return {"scan_slot": scan_slots * watched}
    return {
        "scan_slot": scan_slots * watched * engine.rows,
        "queue_bit": engine.rows * queue_depth * POSITION_BITS,
        "fp16_add": engine.cols,
    }
