"""Time of a kernel by roofline, and the memory a training step holds at once."""

from __future__ import annotations

from math import prod

from analysis.gpu.devices import Device
from analysis.gpu.kernels import (
    ELEMENT_NBYTES,
    MASTER_NBYTES,
    OPTIMIZER_TENSORS,
    POOL_INDEX_NBYTES,
    Kernel,
    layer_sizes,
)
from tlm.workload.model import Layer, Workload


def memory_bytes_s(device: Device, *, in_l2: bool) -> float:
    """Bandwidth that kernels reach, bytes/s: of DRAM, or of L2 for a job that fits in it."""
    return device.l2_bytes_s if in_l2 else device.dram_bytes_s * device.dram_efficiency


def kernel_time_s(kernel: Kernel, device: Device, precision: str, *, in_l2: bool) -> float:
    """Launch floor + max(bytes / effective bandwidth, operations / effective peak), seconds."""
    peak_flop_s = device.peak_flop_s["fp32"]  # elementwise kernels use no tensor cores
    if kernel.kind == "conv":
        peak_flop_s = device.peak_flop_s[precision] * device.conv_efficiency
    elif kernel.kind == "linear":
        peak_flop_s = device.peak_flop_s[precision] * device.gemm_efficiency
    memory_s = kernel.nbytes / memory_bytes_s(device, in_l2=in_l2)
    return device.kernel_floor_s + max(memory_s, kernel.flop / peak_flop_s)


def working_set_nbytes(workload: Workload, precision: str) -> int:
    """Bytes alive at the peak of a step: saved activations, one layer's gradients, parameters.

    Saved for the backward pass are the network's input and, of each layer, h, the spikes, the
    pooled spikes and their indices; the gradients of the largest layer's spikes and currents come
    on top. Parameters: FP32 weights, gradients and moments, in ``amp`` the FP16 copies too.
    """
    size = ELEMENT_NBYTES[precision]
    images = workload.steps * workload.batch
    saved = images * prod(workload.layers[0].in_shape) * size
    saved += sum(_saved_nbytes(layer, images, size) for layer in workload.layers)
    largest = max(layer_sizes(layer, images).outputs for layer in workload.layers)
    weights = sum(layer_sizes(layer, 1).weights for layer in workload.layers)
    copies = OPTIMIZER_TENSORS[workload.optimizer][0] * MASTER_NBYTES
    if precision == "amp":
        copies += 2 * size
    return saved + 2 * largest * size + weights * copies


def _saved_nbytes(layer: Layer, images: int, size: int) -> int:
    n = layer_sizes(layer, images)
    pooled = n.pooled * (size + POOL_INDEX_NBYTES) if layer.pool is not None else 0
    return 2 * n.outputs * size + pooled
