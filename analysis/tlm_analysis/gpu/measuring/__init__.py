"""The parts of ``python -m tlm_analysis.gpu.measure`` (torch, NVML, Nsight Compute).

training   a training step in torch; job_network: its layers; spikingjelly_lif: fused neurons
board      energy counter and clocks of the board
ncu        DRAM bytes by kernel
measured   a measurement beside the model
"""
