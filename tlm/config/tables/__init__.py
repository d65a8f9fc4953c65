"""Tables that a chip names, each number with its source.

- ``table_file``: finding a table by name or path, and ``extends``.
- ``energy_actions``: the actions that cost energy; ``energy``: their prices; ``sram``: the price,
  leakage and area of a memory by its capacity.
- ``area``: the area of each unit of logic.
- ``spread``: a number with its range; ``synapse_memory``, ``synapse_array``: memories of synapses;
  ``array_core``: an inference core with such an array; ``inference_chip``: accelerators of others.
- ``dram_timing``: a DRAM device; ``dram_currents``, ``dram_energy``: its currents, and the energy
  of a command that follows from them.

A new table is a file in ``tlm/config/energy`` or ``tlm/config/area``, a new device one in
``tlm/config/dram``. A new action is a name in ``energy_actions`` and an entry in every energy table
that extends no other.
"""
