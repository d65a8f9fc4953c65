"""What every engine of every core does, phase by phase, as tiles.

In reading order:

- ``build``: the order of phases and layers: the door to this room.
- ``tile_draft``, ``builder``: a tile while parts are added to it; what all phases share.
- ``array_tile``: from a walk over an array to tiles.
- ``forward``, ``soma``: FP; the neurons behind it, what they cost and whom they send spikes.
- ``normalise``: batch normalisation, forward and backward.
- ``gradient``: loss, and dY from dS through the neurons.
- ``backward``, ``gradient_routes``: dX from dY; the way of dX to the layers before.
- ``weight_gradient``: dW.
- ``update``: dW summed over cores, and the new weights.
"""
