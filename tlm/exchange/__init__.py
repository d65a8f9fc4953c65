"""Networks that other tools describe: their files become networks without tensors.

layer_list   layers as such files list them, joined to a graph: pools, padding and sums inferred
scale_sim    topology CSV of SCALE-Sim: convolutions, or products of matrices
loop_nests   YAML of ZigZag (a list of layers) and of Timeloop (a problem a file)
nir_graph    graphs of the Neuromorphic Intermediate Representation (needs the package nir)
files        open a file by its kind
"""

from __future__ import annotations

from tlm.exchange.files import read_network

__all__ = ["read_network"]
