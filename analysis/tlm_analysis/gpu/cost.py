"""Time and energy of a kernel from the bytes it moves and the operations it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlm_analysis.gpu.device.assumptions import Assumptions, pj_per_flop
from tlm_analysis.gpu.device.devices import Device, Range
from tlm_analysis.gpu.memory.traffic import KernelTraffic
from tlm_analysis.gpu.step.kernel import Gemm, Kernel


@dataclass(frozen=True)
class KernelEnergy:
    """Energy of a step by part, J; ``total`` is at most the board's limit times the time."""

    compute: Range
    l2: Range
    dram: Range
    idle: Range
    total: Range


def kernel_time_s(
    kernel: Kernel, traffic: KernelTraffic, device: Device, precision: str, assumptions: Assumptions
) -> float:
    """The longest of DRAM, L2 and arithmetic, plus the ramp; at least the time of a launch."""
    dram_s = traffic.dram_nbytes / (device.dram_bytes_s * device.dram_efficiency.value)
    l2_s = traffic.l2_nbytes / device.l2_bytes_s
    compute_s = kernel.flop / flop_s(kernel, device, precision)
    return max(
        assumptions.dispatch_s.value, assumptions.ramp_s.value + max(dram_s, l2_s, compute_s)
    )


def time_ends_s(
    kernels: Sequence[Kernel],
    traffic: Sequence[KernelTraffic],
    device: Device,
    precision: str,
    assumptions: Assumptions,
) -> tuple[float, float]:
    """Time of all kernels with every efficiency at its most and every overhead at its least, s,
    and the other way round."""
    ends = []
    for high, low in (("most", "least"), ("least", "most")):
        at = replace(
            device,
            dram_efficiency=_end(device.dram_efficiency, high),
            gemm_efficiency=_end(device.gemm_efficiency, high),
            conv_efficiency={k: _end(v, high) for k, v in device.conv_efficiency.items()},
        )
        overheads = replace(
            assumptions,
            dispatch_s=_end(assumptions.dispatch_s, low),
            ramp_s=_end(assumptions.ramp_s, low),
        )
        pairs = zip(kernels, traffic, strict=True)
        ends.append(sum(kernel_time_s(k, t, at, precision, overheads) for k, t in pairs))
    return ends[0], ends[1]


def _end(of: Range, which: str) -> Range:
    return Range.exactly(of.most if which == "most" else of.least)


def flop_s(kernel: Kernel, device: Device, precision: str) -> float:
    """Operations per second of a kernel: peak x efficiency x the share of tiles in use."""
    if kernel.gemm is None:
        return device.peak_flop_s["fp32"]
    share = tile_share(kernel.gemm, device)
    if kernel.kind == "conv":
        return device.peak_flop_s[precision] * device.conv_efficiency[precision].value * share
    return device.peak_flop_s[precision] * device.gemm_efficiency.value * share


def tile_share(gemm: Gemm, device: Device) -> float:
    """Useful share of the tiles that the multiprocessors could do in the waves it takes."""
    width = gemm.persistent or device.multiprocessors
    waves = -(-gemm.tiles // width)
    inside = gemm.m * gemm.n / (gemm.rows * gemm.tile_m * gemm.columns * gemm.tile_n)
    return inside * gemm.tiles / (waves * width)


def step_energy(
    kernels: Sequence[Kernel],
    traffic: Sequence[KernelTraffic],
    time_s: Range,
    device: Device,
    precision: str,
    assumptions: Assumptions,
) -> KernelEnergy:
    """Energy of all kernels: operations, L2 and DRAM bytes, and idle power over the time."""
    products = sum(kernel.flop for kernel in kernels if kernel.gemm is not None)
    others = sum(kernel.flop for kernel in kernels if kernel.gemm is None)
    tensor, vector = (pj_per_flop(assumptions, device, name) for name in (precision, "fp32"))
    compute = _add(_times(tensor, 1e-12 * products), _times(vector, 1e-12 * others))
    l2 = _times(assumptions.l2_pj_per_bit, 8e-12 * sum(t.l2_nbytes for t in traffic))
    dram = _times(device.dram_pj_per_bit, 8e-12 * sum(t.dram_nbytes for t in traffic))
    power = device.idle_w
    idle = Range(power.least * time_s.least, power.value * time_s.value, power.most * time_s.most)
    parts, limit = _add(_add(compute, l2), _add(dram, idle)), _times(time_s, device.board_w)
    total = Range(
        min(parts.least, limit.least), min(parts.value, limit.value), min(parts.most, limit.most)
    )
    return KernelEnergy(compute, l2, dram, idle, total)


def _times(of: Range, factor: float) -> Range:
    return Range(of.least * factor, of.value * factor, of.most * factor)


def _add(left: Range, right: Range) -> Range:
    return Range(left.least + right.least, left.value + right.value, left.most + right.most)
