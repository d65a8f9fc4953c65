"""GPUs as the baseline sees them, each constant with its source."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import ConfigError


@dataclass(frozen=True)
class Device:
    """A GPU's roofline and power constants.

    ``peak_flop_s`` by precision; ``dram_efficiency`` is the share of ``dram_bytes_s`` that
    streaming kernels reach, ``gemm_efficiency`` and ``conv_efficiency`` the share of
    ``peak_flop_s``; ``kernel_floor_s`` the least time between two kernels of a stream. The least
    energy is ``dram_pj_per_bit`` and ``static_w``, the most ``busy_w``, which includes DRAM.
    """

    name: str
    peak_flop_s: dict[str, float]
    dram_bytes_s: float
    dram_efficiency: float
    gemm_efficiency: float
    conv_efficiency: float
    l2_nbytes: int
    l2_bytes_s: float
    kernel_floor_s: float
    dram_pj_per_bit: float
    static_w: float
    busy_w: float


# Peaks, bandwidth and L2: Paderborn PC2 wiki and PMC10448217 (312 TFLOP/s FP16 tensor cores, 19.5
# TFLOP/s FP32, 1555 GB/s, 40 MB at 5120 B/clock x 1.41 GHz).
# dram_efficiency: elementwise kernels of three tensors on A100-40 PCIe, 1357 of 1555 GB/s, in the
# measurements of NeuSight (ASPLOS'25).
# gemm_efficiency: FP16 GEMM 8192 to 16384 wide, 287 to 291 of 312 TFLOP/s (LLMCompass' table).
# conv_efficiency: median of implicit GEMM above 20 GFLOP among NeuSight's FP32 A100 convolutions.
# kernel_floor_s: assumed; the 27-32 us of NeuSight's CUDA-event brackets include the measuring.
# dram_pj_per_bit: HBM2E 6 pJ/bit (Micron) +-1, the lower end.
# static_w: constant 32.3 W and least active static 12 W of AccelWattch's V100 (MICRO'21); that an
# A100 needs as much is assumed, as is busy_w, the largest of the 25 V100 kernels measured there.
A100 = Device(
    name="A100-SXM4-40GB",
    peak_flop_s={"amp": 312e12, "fp32": 19.5e12},
    dram_bytes_s=1555e9,
    dram_efficiency=0.87,
    gemm_efficiency=0.93,
    conv_efficiency=0.52,
    l2_nbytes=40_000_000,
    l2_bytes_s=7219e9,
    kernel_floor_s=5e-6,
    dram_pj_per_bit=5.0,
    static_w=44.3,
    busy_w=230.0,
)

DEVICES = {"A100": A100}


def device(name: str) -> Device:
    """The device of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DEVICES:
        raise ConfigError(f"GPU {name!r} is unknown; there is {', '.join(DEVICES)}")
    return DEVICES[name]
