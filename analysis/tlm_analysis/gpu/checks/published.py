"""The model against published latencies and peak memory: one point each, with its standing.

Every point says what it is: ``validated`` if no figure of the model was fitted to it,
``calibrated`` if one was. Devices of the sources are set where they differ from the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from tlm_analysis.gpu.baseline import GpuBaseline, network_baseline
from tlm_analysis.gpu.checks.cifar10dvs_vgg import cifar10dvs_vgg
from tlm_analysis.gpu.checks.point import PublishedPoint
from tlm_analysis.gpu.checks.published_layers import lif_layers, linear_lif
from tlm_analysis.gpu.cost import kernel_time_s
from tlm_analysis.gpu.device.assumptions import USUAL
from tlm_analysis.gpu.device.devices import A100, RTX4090
from tlm_analysis.gpu.memory.traffic import isolated_traffic
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.product import tiled


def points(topic: str | None = None) -> tuple[PublishedPoint, ...]:
    """All points, or those of one of ``TOPICS``."""
    chosen = TOPICS.values() if topic is None else (TOPICS[topic],)
    return tuple(point for topic_points in chosen for point in topic_points())


# LLMCompass' table, FP16 on an A100-80 (2039 GB/s), host-timed: 21 us of launch are in each point.
_LLMCOMPASS_LAUNCH_S = 21e-6
_WIDE_M = (64, 128, 256, 512, 1024, 4096, 8192, 16384)
_WIDE_TFLOP_S = (102.0, 193.0, 243.0, 253.0, 258.0, 277.0, 287.0, 291.0)
_SQUARE_N = (64, 256, 512, 1024, 2048, 4096, 16384)
_SQUARE_TFLOP_S = (2.3, 30.0, 91.0, 185.0, 244.0, 269.0, 293.0)


def _products() -> Iterator[PublishedPoint]:
    for m, measured in zip(_WIDE_M, _WIDE_TFLOP_S, strict=True):
        yield _product(f"{m} x 12288 x 12288", m, 12288, 12288, measured)
    for n, measured in zip(_SQUARE_N, _SQUARE_TFLOP_S, strict=True):
        yield _product(f"8192 x {n} x {n}", 8192, n, n, measured)


def _product(what: str, m: int, n: int, k: int, measured: float) -> PublishedPoint:
    gemm = tiled(m, n, k)
    operands = (GpuTensor("A", 2 * m * k), GpuTensor("B", 2 * k * n))
    kernel = Kernel(what, "linear", "", operands, (GpuTensor("C", 2 * m * n),), gemm.flop, gemm)
    device = replace(A100, dram_bytes_s=2039e9)
    time_s = kernel_time_s(kernel, isolated_traffic(kernel, device), device, "amp", USUAL)
    time_s += _LLMCOMPASS_LAUNCH_S - USUAL.ramp_s.value
    standing = "calibrated" if gemm.flop > 4e12 else "validated"
    source = "LLMCompass, A100-80, FP16"
    return PublishedPoint(
        f"GEMM {what}", "TFLOP/s", gemm.flop / time_s / 1e12, measured, standing, source
    )


# SpikingJelly's documentation, CIFAR10DVSVGG, T = 10, RTX 4090, FP32 tensors. The optimizer is not
# stated: SGD without momentum is assumed.
_VGG_MIB = ((8, "fused", 1022), (16, "fused", 2266), (32, "fused", 3830), (32, "cupy", 4967))
_VGG_MS = {8: 27.57, 16: 38.34, 32: 83.4}
_VGG_SOURCE = "SpikingJelly documentation, RTX 4090"


@cache
def _vgg(batch: int, neuron: str) -> GpuBaseline:
    """Convolutions in TF32, which PyTorch allows unless told otherwise."""
    return network_baseline(cifar10dvs_vgg(batch), RTX4090, "tf32", neuron)


def _vgg_memory() -> Iterator[PublishedPoint]:
    for batch, neuron, measured in _VGG_MIB:
        modelled = _vgg(batch, neuron).peak_nbytes / 2**20
        what = f"peak memory, CIFAR10DVSVGG, batch {batch}, {neuron}"
        yield PublishedPoint(what, "MiB", modelled, measured, "validated", _VGG_SOURCE)


def _vgg_latency() -> Iterator[PublishedPoint]:
    for batch, measured in _VGG_MS.items():
        modelled = 1e3 * _vgg(batch, "fused").time_s
        what = f"time of a step, CIFAR10DVSVGG, batch {batch}, fused"
        yield PublishedPoint(what, "ms", modelled, measured, "validated", _VGG_SOURCE)


TOPICS: dict[str, Callable[[], Iterator[PublishedPoint]]] = {
    "products": _products,
    "memory of the network": _vgg_memory,
    "latency of the network": _vgg_latency,
    "neuron layers": lif_layers,
    "linear and neurons": linear_lif,
}
