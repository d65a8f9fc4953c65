"""The model against published latencies and peak memory: one point each, with its standing.

Every point says what it is: ``validated`` if no figure of the model was fitted to it,
``calibrated`` if one was. Devices of the sources are set where they differ from the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from analysis.gpu import neuron as lif
from analysis.gpu.assumptions import USUAL
from analysis.gpu.baseline import GpuBaseline, network_baseline
from analysis.gpu.cost import kernel_time_s
from analysis.gpu.devices import A100, RTX2080TI, RTX4090
from analysis.gpu.kernel import Kernel, Tensor
from analysis.gpu.network import INPUT, Network, Stage
from analysis.gpu.product import tiled
from analysis.gpu.shapes import cifar10dvs_vgg
from analysis.gpu.traffic import isolated_traffic, step_traffic


@dataclass(frozen=True)
class Point:
    """One published figure and the model's; ``unit`` of both."""

    what: str
    unit: str
    predicted: float
    published: float
    standing: str
    source: str

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted / self.published - 1


def points(topic: str | None = None) -> tuple[Point, ...]:
    """All points, or those of one of ``TOPICS``."""
    chosen = TOPICS.values() if topic is None else (TOPICS[topic],)
    return tuple(point for made in chosen for point in made())


# LLMCompass' table, FP16 on an A100-80 (2039 GB/s), host-timed: 21 us of launch are in each point.
_LLMCOMPASS_LAUNCH_S = 21e-6
_WIDE_M = (64, 128, 256, 512, 1024, 4096, 8192, 16384)
_WIDE_TFLOP_S = (102.0, 193.0, 243.0, 253.0, 258.0, 277.0, 287.0, 291.0)
_SQUARE_N = (64, 256, 512, 1024, 2048, 4096, 16384)
_SQUARE_TFLOP_S = (2.3, 30.0, 91.0, 185.0, 244.0, 269.0, 293.0)


def _products() -> Iterator[Point]:
    for m, measured in zip(_WIDE_M, _WIDE_TFLOP_S, strict=True):
        yield _product(f"{m} x 12288 x 12288", m, 12288, 12288, measured)
    for n, measured in zip(_SQUARE_N, _SQUARE_TFLOP_S, strict=True):
        yield _product(f"8192 x {n} x {n}", 8192, n, n, measured)


def _product(what: str, m: int, n: int, k: int, measured: float) -> Point:
    gemm = tiled(m, n, k)
    operands = (Tensor("A", 2 * m * k), Tensor("B", 2 * k * n))
    kernel = Kernel(what, "linear", "", operands, (Tensor("C", 2 * m * n),), gemm.flop, gemm)
    device = replace(A100, dram_bytes_s=2039e9)
    time_s = kernel_time_s(kernel, isolated_traffic(kernel, device), device, "amp", USUAL)
    time_s += _LLMCOMPASS_LAUNCH_S - USUAL.ramp_s.value
    standing = "calibrated" if gemm.flop > 4e12 else "validated"
    source = "LLMCompass, A100-80, FP16"
    return Point(f"GEMM {what}", "TFLOP/s", gemm.flop / time_s / 1e12, measured, standing, source)


# SpikingJelly's documentation, CIFAR10DVSVGG, T = 10, RTX 4090, FP32 tensors. The optimizer is not
# stated: SGD without momentum is assumed.
_VGG_MIB = ((8, "fused", 1022), (16, "fused", 2266), (32, "fused", 3830), (32, "cupy", 4967))
_VGG_MS = {8: 27.57, 16: 38.34, 32: 83.4}
_VGG_SOURCE = "SpikingJelly documentation, RTX 4090"


@cache
def _vgg(batch: int, neuron: str) -> GpuBaseline:
    """Convolutions in TF32, which PyTorch allows unless told otherwise."""
    return network_baseline(cifar10dvs_vgg(batch), RTX4090, "tf32", neuron)


def _vgg_memory() -> Iterator[Point]:
    for batch, neuron, measured in _VGG_MIB:
        found = _vgg(batch, neuron).peak_nbytes / 2**20
        what = f"peak memory, CIFAR10DVSVGG, batch {batch}, {neuron}"
        yield Point(what, "MiB", found, measured, "validated", _VGG_SOURCE)


def _vgg_latency() -> Iterator[Point]:
    for batch, measured in _VGG_MS.items():
        found = 1e3 * _vgg(batch, "fused").time_s
        what = f"time of a step, CIFAR10DVSVGG, batch {batch}, fused"
        yield Point(what, "ms", found, measured, "validated", _VGG_SOURCE)


# SpikingJelly's documentation: one LIF layer of 2^20 neurons on an RTX 2080 Ti; forward, and
# forward and backward together, ms.
_LIF_MS = {
    8: ((1.92, 8.13), (0.817, 1.65)),
    16: ((3.81, 21.9), (1.60, 3.21)),
    32: ((7.61, 66.3), (3.26, 6.42)),
    64: ((15.2, 226.0), (6.83, 13.1)),
    128: ((30.3, 828.0), (14.1, 26.7)),
}


def _lif_layers() -> Iterator[Point]:
    for steps, (torch_ms, cupy_ms) in _LIF_MS.items():
        for neuron, (forward, both) in (("unfused", torch_ms), ("cupy", cupy_ms)):
            found = _lif_ms(steps, neuron)
            for what, mine, measured in (
                ("forward", found[0], forward),
                ("forward + backward", found[1], both),
            ):
                name = f"LIF of 2^20 neurons, T = {steps}, {neuron}, {what}"
                source = "SpikingJelly documentation, RTX 2080 Ti, FP32"
                yield Point(name, "ms", mine, measured, "validated", source)


def _lif_ms(steps: int, neuron: str) -> tuple[float, float]:
    """Time of the forward kernels, and of all, ms."""
    nbytes = steps * 2**20 * 4
    current, spikes = Tensor("x", nbytes), Tensor("spikes", nbytes)
    forward, state = lif.forward("layer", current, spikes, steps, neuron, 4)
    given, result = Tensor("spike gradient", nbytes), Tensor("gradient", nbytes)
    kernels = (*forward, *lif.backward("layer", state, given, result, steps))
    traffic = step_traffic(kernels, RTX2080TI, blocks=32).kernels
    times = [
        1e3 * kernel_time_s(kernel, moved, RTX2080TI, "fp32", USUAL)
        for kernel, moved in zip(kernels, traffic, strict=True)
    ]
    return sum(times[: len(forward)]), sum(times)


# open-neuromorphic/snn-library-benchmarks: one linear layer and LIF, batch 16, T = 500,
# SpikingJelly with CuPy; forward s, backward s, GB. The GPU is named 3090 and 4090: 4090 is taken.
_LINEAR_LIF = {
    4096: (0.0090, 0.0082, 1.26),
    8192: (0.0163, 0.0625, 2.65),
    16384: (0.0226, 0.2330, 5.93),
}


def _linear_lif() -> Iterator[Point]:
    for neurons, (forward, backward, memory) in _LINEAR_LIF.items():
        shape = (neurons, 1, 1)
        stage = Stage("fc", "linear", shape, shape, shape, (1, 1), (INPUT,))
        network = Network("linear + LIF", (stage,), 500, 16, "sgd", direct=False)
        found = network_baseline(network, RTX4090, "fp32", "cupy")
        phases = {"fp": 0.0, "bp": 0.0}
        for kernel, time_s in zip(found.kernels, found.times_s, strict=True):
            if kernel.name not in ("copy from host", f"{network.optimizer} update"):
                phases["fp" if kernel.phase == "fp" else "bp"] += time_s
        source = "snn-library-benchmarks, RTX 3090 or 4090"
        what = f"linear + LIF of {neurons} neurons, T = 500, cupy"
        yield Point(f"{what}, forward", "s", phases["fp"], forward, "validated", source)
        yield Point(f"{what}, backward", "s", phases["bp"], backward, "validated", source)
        yield Point(f"{what}, memory", "GB", found.peak_nbytes / 1e9, memory, "validated", source)


TOPICS: dict[str, Callable[[], Iterator[Point]]] = {
    "products": _products,
    "memory of the network": _vgg_memory,
    "latency of the network": _vgg_latency,
    "neuron layers": _lif_layers,
    "linear and neurons": _linear_lif,
}
