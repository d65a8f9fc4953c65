"""What the time and energy of a GPU rest on beside its device's constants."""

from __future__ import annotations

from dataclasses import dataclass

from tlm_analysis.gpu.device.devices import Device, Range


@dataclass(frozen=True)
class Assumptions:
    """Figures that no device's data sheet gives.

    ``dispatch_s`` is the least time between two launches, ``ramp_s`` what a kernel takes beside
    its work. Assumed: replayed CUDA graphs are near the least of ``dispatch_s``, eager PyTorch
    near the most; the 27-32 us that NeuSight measured per kernel include the measuring.
    ``l2_pj_per_bit`` is AccelWattch's V100 L2 and NoC power over measured bytes (1.6-4.8, 2-3 on
    streams). ``least_pj_per_flop`` is arithmetic alone in 7 nm (TPUv4i paper's table, quoted
    second-hand: FP16 .16 + .34 pJ, FP32 .38 + 1.31 pJ for two operations); ``arithmetic`` says
    where between that (0) and the board's limit (1) an operation lies, on a logarithmic scale.
    """

    dispatch_s: Range
    ramp_s: Range
    l2_pj_per_bit: Range
    least_pj_per_flop: tuple[float, float]
    arithmetic: Range


USUAL = Assumptions(
    dispatch_s=Range(2e-6, 5e-6, 10e-6),
    ramp_s=Range(1e-6, 2e-6, 4e-6),
    l2_pj_per_bit=Range(2.0, 2.5, 3.0),
    least_pj_per_flop=(0.25, 0.85),
    arithmetic=Range(0.0, 0.5, 1.0),
)


def pj_per_flop(assumptions: Assumptions, device: Device, precision: str) -> Range:
    """Energy of one operation of a product.

    The most is what the board's limit leaves at the product's top speed.
    """
    tensor_cores = device.peak_flop_s[precision] > 1.5 * device.peak_flop_s["fp32"]
    least = assumptions.least_pj_per_flop[0 if tensor_cores else 1]
    speed = device.peak_flop_s[precision] * device.gemm_efficiency.value
    most = max(least, 1e12 * (device.board_w - device.idle_w.value) / speed)
    where = assumptions.arithmetic.value
    return Range(least, least ** (1 - where) * most**where, most)
