"""Prices of an inference core, made of its table: the part of an energy table that it stands for.

A row that is read gives a word of each column, so a word costs its share of the row; so with the
additions. The rest of the core's work is in these prices and those of the GLM unit (sums, their
history and biases are registers of it), or in the leakage of its control: it has the price 0.
"""

from __future__ import annotations

from tlm.config.tables.array_core import ArrayCoreTable, load_array_core
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.config.tables.table_file import TableFile
from tlm.errors import ConfigError

PriceEntries = dict[str, dict[str, object]]  # by component, by action

INCLUDED = {
    "fp": (
        "reg16", "reg1", "weight_write", "spike_read", "partial_read", "partial_write",
        "membrane_read", "membrane_write", "state_write", "bias_add", "stage_read", "stage_write",
    ),
    "engine": ("scan", "mac_idle"),
}  # fmt: skip


def with_core(table: TableFile) -> ArrayCoreTable | None:
    """Put the prices of the inference core that an energy table names among its entries.

    Raises:
        ConfigError: there is no such core, or the table has prices of it, too.
    """
    named = table.data.get("array_core")
    if not isinstance(named, str):
        return None
    core = load_array_core(named, f"{table.where}: array_core")
    actions, leakage = core_prices(core)
    for group, made in (("actions", actions), ("leakage", {"core": leakage})):
        stated = table.data.setdefault(group, {})
        both = set(stated) & set(made) if isinstance(stated, dict) else set()
        if both:
            raise ConfigError(
                f"{table.where}: {group}.{min(both)}: the inference core {core.name} gives these; "
                "leave them out, or leave array_core out"
            )
        if isinstance(stated, dict):
            stated |= made
    return core


def core_prices(core: ArrayCoreTable) -> tuple[PriceEntries, dict[str, object]]:
    """Actions of a core by component, as an energy table writes them, and the core's leakage.

    Raises:
        ConfigError: there is no such table of arrays, or it lacks the core's technology.
    """
    arrays = load_synapse_array(core.array, f"inference core {core.name}: array")
    array, unit = core_array(core, arrays), glm_unit(core)
    words = core.network.outputs.value * core.network.basis.value
    prices = {
        "weight_read": (array.read_pj / words, "a row, by its words"),
        "mac_add": (unit.row_pj / words, "additions of a row, by its words"),
        "glm_product": (unit.product_pj, "a tap of a filter and its history"),
        "glm_draw": (unit.draw_pj, "table, LFSR, comparator, arbiter's input"),
        "glm_arbitration": (unit.arbitration_pj, "the highest potential of a step"),
    }
    actions: PriceEntries = {
        component: {name: _entry(0.0, core, "in other prices, or leakage alone") for name in names}
        for component, names in INCLUDED.items()
    }
    actions["fp"] |= {name: _entry(pj, core, what) for name, (pj, what) in prices.items()}
    leakage_w = array.leakage_w
    leakage_w += (unit.gates + core.gates.control.value) * core.gate.leakage.value
    source = f"inference core {core.name}: array and gates"
    return actions, {"power": f"{leakage_w:.12g} W", "source": source, "confidence": "assumed"}


def _entry(energy_pj: float, core: ArrayCoreTable, what: str) -> dict[str, str]:
    source = f"inference core {core.name}: {what}"
    return {"energy": f"{energy_pj:.12g} pJ", "source": source, "confidence": "assumed"}
