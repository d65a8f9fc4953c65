"""Tables of inference cores: an array of synapses with GLM neurons behind it.

What is computed of such a core is in :mod:`tlm.synapses.array_core`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tlm.config.problems import validated
from tlm.config.published import Published
from tlm.config.quantities import (
    Fraction,
    Hertz,
    Picojoules,
    Picoseconds,
    PositiveNumber,
    Section,
    SquareMicrometres,
    Watts,
    WholeNumber,
)
from tlm.config.tables.spread import Spread
from tlm.config.tables.table_file import read_table, table_names

CORE_FOLDER = Path(__file__).parent.parent / "array_core"


class CoreNetwork(Section):
    """Shape of the network: ``basis`` weights of ``devices`` bits a synapse, a filter of
    ``window`` steps for each of them."""

    inputs: Spread[WholeNumber]
    outputs: Spread[WholeNumber]
    basis: Spread[WholeNumber]
    window: Spread[WholeNumber]
    devices: Spread[WholeNumber]


class CoreWork(Section):
    """Input spikes of a step, steps of a decision, and the least time of a step.

    A core that is done with a step sooner waits and leaks.
    """

    spikes: Spread[PositiveNumber]
    steps: Spread[PositiveNumber]
    step_time: Spread[Picoseconds]


class GlmWidths(Section):
    """Bits of a neuron's numbers; ``multipliers`` of a neuron for its filters."""

    sum_bits: Spread[WholeNumber]
    coefficient_bits: Spread[WholeNumber]
    lfsr_bits: Spread[WholeNumber]
    table_entries: Spread[WholeNumber]
    table_bits: Spread[WholeNumber]
    multipliers: Spread[WholeNumber]


class GateCounts(Section):
    """Gate equivalents of a part of the logic."""

    adder_bit: Spread[PositiveNumber]
    register_bit: Spread[PositiveNumber]
    multiplier_bit: Spread[PositiveNumber]
    compare_bit: Spread[PositiveNumber]
    xor: Spread[PositiveNumber]
    table_bit: Spread[PositiveNumber]
    arbiter_input: Spread[PositiveNumber]
    control: Spread[PositiveNumber]


class GatePrices(Section):
    """Of a gate equivalent: energy when it switches, area, leakage.

    ``activity`` is the share of a part's gates that switch in an operation, ``floor_share`` the
    share of the floor that gates cover.
    """

    energy: Spread[Picojoules]
    area: Spread[SquareMicrometres]
    leakage: Spread[Watts]
    activity: Spread[Fraction]
    floor_share: Spread[Fraction]


class ArrayCoreTable(Section):
    """All parameters of a core; ``array`` names a table of synapse arrays."""

    schema_version: Literal[1]
    name: str
    array: str
    technology: str
    clock: Spread[Hertz]
    network: CoreNetwork
    work: CoreWork
    widths: GlmWidths
    gates: GateCounts
    gate: GatePrices
    published: list[Published]


def array_core_tables() -> list[str]:
    """Names of the tables that ship, sorted."""
    return table_names(CORE_FOLDER)


def load_array_core(name_or_path: str | Path, asked_by: str = "inference core") -> ArrayCoreTable:
    """Read a table: one that ships, by its name, or a file.

    Raises:
        ConfigError: there is none, or a key is missing, unknown or of a wrong form.
    """
    table = read_table(CORE_FOLDER, name_or_path, "table of inference cores", asked_by)
    return validated(ArrayCoreTable, table.data, table.where, extends="TABLE")
