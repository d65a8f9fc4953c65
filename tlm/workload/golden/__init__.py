"""NumPy golden model of a whole network: the functional oracle of the project.

product  convolution and linear layers: forward, dX, dW
norm     batch normalisation with the statistics of the mini-batch, forward and backward
neuron   one neuron layer over time, forward and backward
glm      one layer of GLM neurons over time, forward
pool     max- and average-pooling, forward and backward
probes   random sums that tell in place of a product
network  all layers: FP, BP and WG, either forced to recorded tensors or running free
agreement  how a rebuilt layer agrees with its recording
answers  rebuild a job for inference: spikes and decisions
check    rebuild a recorded iteration and say where it differs

It computes in the precision of its input: in float64 the recording alone brings differences of
rounding.
"""

from __future__ import annotations

from tlm.workload.golden.agreement import Agreement
from tlm.workload.golden.check import check_recording

__all__ = ["Agreement", "check_recording"]
