"""The GPU baseline: one training step of a job, modelled kernel by kernel.

device       GPUs and their constants, and what no data sheet gives
step         the kernels of a training step
memory       these kernels replayed through the L2 cache: bytes in DRAM and L2
cost         time and energy of a kernel
baseline     all of it for one job and one GPU

comparison   the chip against the GPU
checks       the model against counters and published figures
screen       the text of the command; page: docs/gpu-baseline.md

measure      measures a training step on a GPU (a command of its own); measuring: its parts
"""

from tlm_analysis.gpu.baseline import GpuBaseline, baseline

__all__ = ["GpuBaseline", "baseline"]
