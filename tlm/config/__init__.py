"""Chip descriptions: schema, units, presets, energy tables, and how they are layered."""

from tlm.config.energy import EnergyTable, energy_tables, load_energy
from tlm.config.layers import LoadedChip, load_chip, presets
from tlm.config.resolved import resolved_yaml
from tlm.config.schema import ChipConfig

__all__ = [
    "ChipConfig",
    "EnergyTable",
    "LoadedChip",
    "energy_tables",
    "load_chip",
    "load_energy",
    "presets",
    "resolved_yaml",
]
