"""Neuron layers as two benchmarks timed them: what their libraries launched, and what it takes.

These are the kernels of the versions that were timed, read in their sources; the GPU baseline
itself models the lean forms of ``tlm_analysis.gpu.step.neuron``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlm_analysis.gpu.checks.cupy_layer import cupy_layer, linear_and_cupy_layer
from tlm_analysis.gpu.checks.point import PublishedPoint
from tlm_analysis.gpu.checks.torch_layer import torch_layer
from tlm_analysis.gpu.cost import kernel_time_s
from tlm_analysis.gpu.device.assumptions import USUAL
from tlm_analysis.gpu.device.devices import RTX2080TI, RTX3090, Device
from tlm_analysis.gpu.memory.traffic import step_traffic
from tlm_analysis.gpu.step.kernel import Kernel

# SpikingJelly's documentation: one LIF layer of 2^20 neurons on an RTX 2080 Ti; forward, and
# forward and backward together, ms; torch, then CuPy.
_LIF_NEURONS = 2**20
_LIF_MS = {
    8: ((1.92, 8.13), (0.817, 1.65)),
    16: ((3.81, 21.9), (1.60, 3.21)),
    32: ((7.61, 66.3), (3.26, 6.42)),
    64: ((15.2, 226.0), (6.83, 13.1)),
    128: ((30.3, 828.0), (14.1, 26.7)),
}
_LIF_SOURCE = "SpikingJelly documentation, RTX 2080 Ti, FP32"

# open-neuromorphic/snn-library-benchmarks: one linear layer and LIF, batch 16, T = 500, by
# SpikingJelly 0.0.0.0.15 with CuPy: forward s, backward s, GB; on an RTX 3090 by the edit that
# introduced the memory figures (the page's footer names a 4090).
_LINEAR_LIF = {
    4096: (0.0090, 0.0082, 1.26),
    8192: (0.0163, 0.0625, 2.65),
    16384: (0.0226, 0.2330, 5.93),
}
_LINEAR_LIF_STEPS, _LINEAR_LIF_BATCH = 500, 16
_LINEAR_LIF_SOURCE = "snn-library-benchmarks, RTX 3090"

_BLOCKS = 32  # of the cache: tensors are many times its size


def lif_layers(steps: Sequence[int] = tuple(_LIF_MS)) -> Iterator[PublishedPoint]:
    """SpikingJelly's table for the given numbers of steps."""
    for count in steps:
        torch_ms, cupy_ms = _LIF_MS[count]
        step_nbytes = 4 * _LIF_NEURONS
        yield from _lif("torch", count, torch_layer(count, step_nbytes), torch_ms)
        yield from _lif("cupy", count, cupy_layer(count, step_nbytes), cupy_ms)


def _lif(
    library: str,
    steps: int,
    kernels: tuple[Sequence[Kernel], Sequence[Kernel]],
    measured_ms: tuple[float, float],
) -> Iterator[PublishedPoint]:
    forward, backward = kernels
    times = _timed((*forward, *backward), RTX2080TI).times_s
    modelled = sum(times[: len(forward)]), sum(times)
    for what, mine, measured in zip(
        ("forward", "forward + backward"), modelled, measured_ms, strict=True
    ):
        name = f"LIF of 2^20 neurons, T = {steps}, {library}, {what}"
        yield PublishedPoint(name, "ms", 1e3 * mine, measured, "validated", _LIF_SOURCE)


def linear_lif() -> Iterator[PublishedPoint]:
    """Peak memory, and the times, which are not comparable.

    The benchmark's ``timeit`` reads the clock without waiting for the GPU, so that a pass may be
    charged to the other: 16 384 neurons forward would need 190 TFLOP/s in FP32.
    """
    for neurons, (forward_s, backward_s, memory_gb) in _LINEAR_LIF.items():
        what = f"linear + LIF of {neurons} neurons, T = {_LINEAR_LIF_STEPS}, cupy"
        passes = linear_and_cupy_layer(neurons, _LINEAR_LIF_STEPS, _LINEAR_LIF_BATCH)
        forward, backward = (_timed(kernels, RTX3090) for kernels in passes)
        for name, modelled, measured_s in (
            ("forward", forward, forward_s),
            ("backward", backward, backward_s),
        ):
            source = _LINEAR_LIF_SOURCE
            yield PublishedPoint(
                f"{what}, {name}", "s", sum(modelled.times_s), measured_s, "not comparable", source
            )
        peak_gb = max(forward.peak_nbytes, backward.peak_nbytes) / 1e9
        yield PublishedPoint(
            f"{what}, memory", "GB", peak_gb, memory_gb, "validated", _LINEAR_LIF_SOURCE
        )


@dataclass(frozen=True)
class _Timed:
    """Times of kernels, and the most bytes alive while they run."""

    times_s: tuple[float, ...]
    peak_nbytes: int


def _timed(kernels: Sequence[Kernel], device: Device) -> _Timed:
    step = step_traffic(kernels, device, _BLOCKS)
    pairs = zip(kernels, step.kernels, strict=True)
    times_s = tuple(kernel_time_s(kernel, moved, device, "fp32", USUAL) for kernel, moved in pairs)
    return _Timed(times_s, step.peak_nbytes)
