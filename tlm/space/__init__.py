"""The words of all that follows: boxes and grids of neurons, phases, tiles, programs."""
