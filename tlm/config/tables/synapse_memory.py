"""Tables of synapse memories: what an access costs by the size of a memory, and a controller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tlm.config.problems import validated
from tlm.config.published import Published
from tlm.config.quantities import Bits, Hertz, Picojoules, Picoseconds, Section, Watts
from tlm.config.tables.table_file import read_table, table_names

FOLDER = Path(__file__).parent.parent / "synapse_memory"

Provenance = Literal["calibrated", "bracketed", "assumed"]
CycleCount = Annotated[int, Field(ge=0, le=4096)]


class RegisterPrice(Section):
    """Energy of an access to a register file: fixed, and by the Kib that it holds."""

    fixed: Picojoules
    kib: Picojoules


class RegisterFile(Section):
    """The price of memories of few words."""

    most_words: Annotated[int, Field(ge=0)]
    read: RegisterPrice
    write: RegisterPrice
    source: str
    confidence: Provenance


class ArrayShape(Section):
    """Rows of an SRAM array, and the most columns that it has with them."""

    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]
    source: str
    confidence: Provenance


class ArrayPrice(Section):
    """Energy of an access to an SRAM array: fixed, by the root of its Kib, and by its columns."""

    fixed: Picojoules
    root_kib: Picojoules
    column: Picojoules


class AccessTime(Section):
    """Time of a read: fixed, and by the root of the Kib; a write takes ``write_factor`` of it."""

    fixed: Picoseconds
    root_kib: Picoseconds
    write_factor: Annotated[float, Field(gt=0)]


class Sram(Section):
    """The price of memories of many words, of at most ``most_width`` bits side by side."""

    most_width: Bits
    shapes: Annotated[list[ArrayShape], Field(min_length=1)]
    read: ArrayPrice
    write: ArrayPrice
    access: AccessTime
    source: str
    confidence: Provenance


class SynapseLeakage(Section):
    """Static power of a bit of any memory, and of the logic that counts the windows of filters."""

    bit: Watts
    window_logic: Watts
    source: str
    confidence: Provenance


class Controller(Section):
    """Clock, and the energy of a cycle."""

    clock: Hertz
    cycle: Picojoules
    source: str
    confidence: Provenance


class PassCycles(Section):
    """Cycles of a pass for each position, each synapse and each row."""

    position: CycleCount
    synapse: CycleCount = 0
    row: CycleCount


class OrganisationCycles(Section):
    """Cycles of both passes of an organisation; the backward pass updates the weights."""

    forward: PassCycles
    backward: PassCycles
    source: str
    confidence: Provenance


class Cell(Section):
    """What a row of the published table was measured of; sizes that a layer has not are 0."""

    layer: Literal["fc", "conv"]
    organisation: str
    width: int
    density: float = 1.0
    inputs: int = 0
    outputs: int = 0
    window: int = 0
    filters: int = 0
    image: int = 0


class SynapseMemoryTable(Section):
    """All constants of a controller with its memories."""

    schema_version: Literal[1]
    name: str
    register_file: RegisterFile
    sram: Sram
    leakage: SynapseLeakage
    controller: Controller
    cycles: dict[str, OrganisationCycles]
    convolution_cycles: dict[str, OrganisationCycles]
    calibration: list[Cell]
    published: list[Published]


def synapse_memory_tables() -> list[str]:
    """Names of the tables that ship, sorted."""
    return table_names(FOLDER)


def load_synapse_memory(
    name_or_path: str | Path = "memory-organisation", asked_by: str = "synapse memory"
) -> SynapseMemoryTable:
    """Read a table: one that ships, by its name, or a file.

    Raises:
        ConfigError: there is none, or a key is missing, unknown or of a wrong form.
    """
    table = read_table(FOLDER, name_or_path, "table of synapse memories", asked_by)
    return validated(SynapseMemoryTable, table.data, table.where, extends="TABLE")
