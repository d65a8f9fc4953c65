"""Exact work from recorded tensors: what an engine's array walks, skips and moves.

A slot is one cycle of an array before skipping: a vector of operands against a tile of outputs.
``dataflow`` says which slots are skipped; it is the place to begin.

In reading order:

- ``masks``: which elements between two layers are non-zero, and which gradients are needed
- ``engine_array``, ``core_arrays``: the array of one engine; the arrays of one core
- ``packed_weights``, ``layer_weights``: which weights have a place, and what their tiles take
- ``blocks``: how a slice is cut into blocks that the partial-sum buffer holds
- ``operands``, ``planes``: what an array multiplies; the same for a box of positions, by kernel tap
- ``walk_count``, ``walk``: what a walk adds up to; the work at the positions of one block
- ``lanes``: cycles of lanes that walk their own non-zeros
- ``rows``, ``held_weights``: the walk past held weights, all blocks at once
- ``packed_walk``: the walk past held weights of which only some are stored
- ``held_positions``: the walks past held outputs and held inputs
- ``dataflow``: which slots each dataflow skips, and the choice between dataflows
- ``array_pass``: FP, BP and WG of a box of positions as one thing
- ``passes``: panels of channels, block by block
- ``accesses``: what a walk asks of the energy table
- ``layer_work``: all of it for one layer, as programs ask for it
"""
