"""The words that all rooms share: boxes of neurons, phases of training, tiles and programs.

In reading order:

- ``array_types``: kinds of arrays that hold masks and counts.
- ``rounding``: whole units that an amount takes.
- ``region``: spans, boxes of neurons and slices; how a length is cut into spans.
- ``grid``: a layer cut into slices, and the core of each.
- ``geometry``: which rows of one grid follow from which rows of another.
- ``feeds``: the same of what a layer puts together of windows on its sources.
- ``layer_cut``: what is decided of a layer: how it is cut, and what stays where.
- ``ports``: widths of the ports of the memories beside the arrays.
- ``phase``: phases of training, their engines, commands of transactions.
- ``tile``: what an engine does in one go, with its work and messages.
- ``program``: the tiles of all engines, and the completions that order them.
- ``packets``, ``mesh_routes``: sizes of packets, the split of addresses; ways over the mesh.
- ``trace_rows``: what a run records of itself.
"""
