"""How the weights of a synapse memory are laid out, and how many bits that takes.

In reading order:

- ``tables``: one physical table of a memory; the packed bits of all tables
- ``packing``: numbers of any width as packed bits, and back
- ``matrix``: the weights of a fully connected layer, and how many synapses each input has
- ``filters``: the weights of a convolution
- ``organisation``: what every organisation can do, and all of them by name
- ``crossbar``: every possible synapse has a place
"""
