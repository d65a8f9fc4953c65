"""How the weights of a synapse memory are laid out, and what bits, energy and time that takes.

In reading order:

- ``tables``: one physical table of a memory; its packed bits
- ``packing``, ``pointers``: numbers of any width as packed bits, and back; where rows end
- ``matrix``, ``filters``: the weights of a fully connected layer; those of a convolution
- ``quantised``, ``pruning``: codes of a few bits, and fewer weights, from a layer's weights
- ``organisation``: what every organisation of a matrix can do, and all of them by name
- ``crossbar``, ``bitmap``, ``csr``, ``loihi``, ``structured``: one organisation each
- ``functional``: the organisations of a convolution
- ``macro``: what an access costs by the memory that holds a table
- ``access``, ``convolution_access``: how often a pass reads and writes each table
- ``cost``: energy and time of both passes, leakage
- ``published``: the published table, and the model's figure of each cell
- ``array``: arrays of SRAM and STT-RAM cells that are read a row at a time
- ``nvsim``: the arrays that NVSim computes, and the model's figures of each
- ``glm_unit``, ``array_core``: neurons with first-to-spike decisions; a core of them and an array
"""
