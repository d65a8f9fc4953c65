"""NumPy golden model of a whole network: the functional oracle of the project.

product  convolution and linear layers: forward, dX, dW
norm     batch normalisation with the statistics of the mini-batch, forward and backward
neuron   one neuron layer over time, forward and backward
pool     max- and average-pooling, forward and backward
network  all layers: FP, BP and WG, either forced to recorded tensors or running free
check    rebuild a recorded iteration and say where it differs

All arithmetic is float64: rounding differences then come from the recording, not from this model.
"""

from __future__ import annotations

from tlm.workload.golden.check import Agreement, check_recording

__all__ = ["Agreement", "check_recording"]
