"""Chip descriptions: what a chip file may hold, how files are stacked, and the tables they name.

In reading order:

- ``units``, ``quantities``: text with a unit outside, a plain number inside.
- ``core``, ``weight_memory``, ``fabric``, ``chip``: the keys of a chip; ``by_layer``: exceptions of
  a layer; ``checks``: contradictions between keys.
- ``yaml_file``, ``problems``: reading a file, and one line for everything wrong in it.
- ``sources``: the values of a preset, a file, a ``--set``; ``published``: figures to compare with.
- ``tables``: energies, areas, memories and DRAM devices.
- ``layers``: stacks the sources into a ``LoadedChip``; ``resolved``, ``yaml_text``: writes it out.

Where something new goes:

- A preset: a file ``presets/NAME.yaml``, with the provenance of every value. No code.
- An energy or area table: a file ``energy/NAME.yaml`` or ``area/NAME.yaml``. No code.
- A DRAM device: a file ``dram/NAME.yaml``. No code.
- A key: a field in ``core``, ``fabric`` or ``chip`` with a line in its class's docstring, its value
  and provenance in every preset that extends no other, a check in ``checks`` if it can contradict
  another key, and whatever reads it.
"""

from tlm.config.chip import ChipConfig
from tlm.config.layers import LoadedChip, load_chip
from tlm.config.resolved import resolved_yaml
from tlm.config.sources import presets
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
