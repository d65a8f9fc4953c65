"""The GPU baseline: one training step of a job, modelled kernel by kernel.

network      what is run: shapes of a job
devices      GPUs and their constants; assumptions: what no data sheet gives
kernel       one launch: the tensors it touches, the product behind it
step         the kernels of a training step; product, neuron, update: parts of it
access       the order in which a kernel touches its tensors
cache        L2; traffic: kernels replayed through it
cost         time and energy of a kernel
baseline     all of it for one job and GPU

chip         runs of the chip; sweep: its runs at other activities
compare      the chip against the GPU; sensitivity: one assumption at a time
screen       the command's text; page, page_chip, page_text: docs/gpu-baseline.md

v100         the check against counters of a V100
published    the check against published figures (point: one of them)
shapes       a network of the literature
torch_layer, cupy_layer, published_layers: neuron layers as they were timed

measure      measure a training step on a GPU (a command of its own; torch)
training     the step (job_network: the graph; spikingjelly_lif: fused neurons)
board, ncu   the board's energy and clocks; DRAM bytes by kernel
measured     a measurement beside the model
"""

from tlm_analysis.gpu.baseline import GpuBaseline, baseline

__all__ = ["GpuBaseline", "baseline"]
