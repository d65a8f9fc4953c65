"""What every engine of every core does, phase by phase, as tiles.

In reading order:

- ``build``: the order of phases and layers: the door to this room.
- ``tile_draft``, ``builder``: a tile while parts are added to it; what all phases share.
- ``array_tile``: from a walk over an array to tiles.
- ``forward``, ``soma``: FP; the neurons behind it, what they cost and whom they send spikes.
- ``normalise``: batch normalisation, forward and backward.
- ``loss``: dS of the output layer.
- ``gradient``: dI from dS through the neurons; dY behind batch normalisation.
- ``dY_exchange``: dY on its way to BP and WG, over the mesh or through DRAM.
- ``backward``, ``gradient_routes``: dX from dY; the way of dX to the layers before.
- ``weight_gradient``: dW.
- ``update``: dW summed over cores, and the new weights.
"""
