"""What stays in which memory, what goes through DRAM, and at which address.

In reading order:

- ``plan``: the plan of a job: for each layer how it is cut, stored and addressed.
- ``planning``: makes the plan, step by step: the door to this room.
- ``residency``: which tensors stay in the memories of the cores.
- ``allocation``: gives every other tensor, weights too, its address in DRAM.
- ``address``: how a tensor lies in DRAM, and which bytes a box of it covers.
- ``sweeps``: in which order a slice is walked, and which weights stay meanwhile.
- ``streams``: what a tile has to fetch, and what its core has already.
- ``mapping_file``: all these decisions as ``mapping.yaml``.
"""
