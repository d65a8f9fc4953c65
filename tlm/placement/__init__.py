"""Where work goes: the cut of every layer over the cores, the schedule, and the search for both.

In reading order:

- ``choices``: what of a mapping can be chosen, as read from a mapping file
- ``target``: the chip that a mapping is made for
- ``work_map``, ``measured_work``: a layer's cycles by sample, channel tile and row; from its masks
- ``profile``: what is known of a layer before it is cut
- ``cutting``: the grids that a layer's shape and the cores allow, balanced by its work
- ``slices``: the slices of many grids of a layer at once, as arrays
- ``slice_bits``, ``neuron_bits``: bits of a slice's inputs, dY and dW, and of all neurons
- ``laid_layer``: a layer as several grids lay it over a chip
- ``slice_cycles``, ``layer_bits``: cycles of a layer's slices, and what they move from and to DRAM
- ``stores_alone``: what stays of a layer before the others have their grids
- ``mesh_traffic``: what two grids send each other, and what the busiest link carries
- ``summed_gradients``: which dX of residual sums are added up once
- ``layer_load``: what a layer on a grid asks of cores, DRAM and network
- ``grid_choice``: the grids of one layer, by the time that it takes alone
- ``stages``: consecutive layers on groups of cores of their own
- ``schedule``: which samples run together, and which layers share a core at a time
- ``exchange``: replicas that send each other dW, or new weights
- ``timeline``, ``energy``: when the engines are through with a mapping, and what it takes
- ``figures``: what mappings are compared by
- ``estimate``: time, energy and traffic of a whole mapping, without simulating it
- ``search``: whole mappings compared by that estimate
- ``spread``: which of them to simulate
"""
