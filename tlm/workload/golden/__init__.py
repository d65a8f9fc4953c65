"""NumPy golden model of a whole network: the functional oracle of the project.

product  convolution and linear layers: forward, dL/dX, dL/dW
pool     max- and average-pooling, forward and backward
norm     batch normalisation with the statistics of the mini-batch, forward and backward
network  all layers: FP, BP and WG, with recorded tensors forced or free-running
check    rebuild a recorded iteration and say where it differs
neuron   one neuron layer, rebuilt from its boundary

All arithmetic is float64, so that rounding is the recording's and not this model's.
"""

from __future__ import annotations

from tlm.workload.golden.check import Agreement, check_recording

__all__ = ["Agreement", "check_recording"]
