"""Tables that a chip names: energies, areas, SRAM and DRAM devices, each number with its source."""
