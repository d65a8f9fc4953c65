"""Chip descriptions: schema, units, presets, energy tables, and how they are layered."""

from tlm.config.chip import ChipConfig
from tlm.config.layers import LoadedChip, load_chip, presets
from tlm.config.resolved import resolved_yaml
from tlm.config.tables.area import AreaTable, area_tables, load_area
from tlm.config.tables.energy import EnergyTable, energy_tables, load_energy

__all__ = [
    "AreaTable",
    "ChipConfig",
    "EnergyTable",
    "LoadedChip",
    "area_tables",
    "energy_tables",
    "load_area",
    "load_chip",
    "load_energy",
    "presets",
    "resolved_yaml",
]
