"""GPUs as the baseline sees them, each constant with its source and its standing."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import ConfigError

PRECISIONS = ("amp", "tf32", "fp32")


@dataclass(frozen=True)
class Range:
    """A parameter that is not known exactly: the value used, and what it may be."""

    least: float
    value: float
    most: float

    @staticmethod
    def exactly(value: float) -> Range:
        """A parameter taken for known."""
        return Range(value, value, value)


_PARTITIONED = Range(0.5, 1.0, 1.0)
_WHOLE = Range(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Device:
    """Constants of one GPU.

    ``peak_flop_s`` by precision, dense. ``dram_efficiency`` is the share of ``dram_bytes_s`` that
    streaming kernels reach, ``gemm_efficiency`` the share of peak in the main loop of a product.
    ``dirty_share`` is how much of L2 may hold lines not yet written back. ``idle_w`` is the power
    that does not depend on the work, ``board_w`` the limit of the board.
    """

    name: str
    multiprocessors: int
    peak_flop_s: dict[str, float]
    dram_bytes_s: float
    dram_efficiency: Range
    gemm_efficiency: Range
    conv_efficiency: dict[str, Range]
    l2_nbytes: int
    l2_bytes_s: float
    dram_pj_per_bit: Range
    idle_w: Range
    board_w: float
    dirty_share: float = 0.5
    l2_share: Range = _PARTITIONED


# dirty_share: calibrated. 8 of 9 kernels that write each line once leave 3.14-3.15 MB of a V100's
# 6 MiB L2 unwritten (hw_perf.csv of AccelWattch); that newer devices do the same is assumed.
# l2_share: assumed. From the A100 on, L2 is two partitions; data read by both halves may be kept
# twice, so that half the capacity is the least.
# dram_pj_per_bit: HBM2 and HBM2E 6 +- 1 (Micron; AccelWattch's V100 component powers over measured
# bytes give 5.5-6.8 on streams); assumed of HBM3.
_HBM = Range(5.0, 6.0, 7.0)

# conv_efficiency: FP32 from the medians of NeuSight's (ASPLOS'25) cuDNN measurements above 20
# GFLOP: implicit GEMM 0.52 (A100) and 0.75 (V100) of peak, Winograd an apparent 1.04. Least and
# most are those two, the value the mix of 80 % Winograd they report. Tensor cores: assumed.
_TENSOR_CONV = Range(0.4, 0.6, 0.8)


def _conv(fp32: Range) -> dict[str, Range]:
    return {"amp": _TENSOR_CONV, "tf32": _TENSOR_CONV, "fp32": fp32}


# Peaks, bandwidth, L2: Paderborn PC2 wiki, PMC10448217 (L2 bandwidth 5120 B/clock x 1.41 GHz).
# TF32 is half of FP16 (NVIDIA's A100 white paper). Efficiencies: elementwise kernels reach 0.87 to
# 0.90 of DRAM bandwidth (NeuSight), FP16 products up to 0.93 of peak (LLMCompass).
# idle_w: 32.3 W constant + 12 to 48 W static + 0.28 W per idle multiprocessor, AccelWattch's V100;
# assumed of every other device, with twice as much at most.
A100 = Device(
    name="A100-SXM4-40GB",
    multiprocessors=108,
    peak_flop_s={"amp": 312e12, "tf32": 156e12, "fp32": 19.5e12},
    dram_bytes_s=1555e9,
    dram_efficiency=Range(0.80, 0.87, 0.92),
    gemm_efficiency=Range(0.80, 0.93, 0.95),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=40 * 2**20,
    l2_bytes_s=7219e9,
    dram_pj_per_bit=_HBM,
    idle_w=Range(44.3, 80.0, 160.0),
    board_w=400.0,
)

# V100 SXM2: same sources; no TF32, so that such a job runs in FP32.
V100 = Device(
    name="V100-SXM2-16GB",
    multiprocessors=80,
    peak_flop_s={"amp": 125e12, "tf32": 15.7e12, "fp32": 15.7e12},
    dram_bytes_s=900e9,
    dram_efficiency=Range(0.88, 0.93, 0.95),
    gemm_efficiency=Range(0.70, 0.85, 0.93),
    conv_efficiency={
        "amp": _TENSOR_CONV,
        "tf32": Range(0.75, 0.98, 1.04),
        "fp32": Range(0.75, 0.98, 1.04),
    },
    l2_nbytes=6 * 2**20,
    l2_bytes_s=3133e9,
    dram_pj_per_bit=_HBM,
    idle_w=Range(44.3, 62.0, 80.3),
    board_w=300.0,
    l2_share=_WHOLE,
)

# H100 SXM: PMC10448217, NeuSight's configuration, chipsandcheese (8986 GB/s of L2); gemm_efficiency
# from 769-798 of 990 TFLOP/s measured on one H200 with random data (894 with zeros).
H100 = Device(
    name="H100-SXM5-80GB",
    multiprocessors=132,
    peak_flop_s={"amp": 990e12, "tf32": 495e12, "fp32": 66.9e12},
    dram_bytes_s=3352e9,
    dram_efficiency=Range(0.80, 0.90, 0.92),
    gemm_efficiency=Range(0.70, 0.79, 0.90),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=50 * 2**20,
    l2_bytes_s=8986e9,
    dram_pj_per_bit=_HBM,
    idle_w=Range(44.3, 90.0, 180.0),
    board_w=700.0,
)

# H200: vendor's figures; 60 MB as PyTorch reports; copies reach 4.3 of 4.8 TB/s (measured, one
# card). Its L2 bandwidth is taken from the H100.
H200 = Device(
    name="H200-SXM5-141GB",
    multiprocessors=132,
    peak_flop_s={"amp": 990e12, "tf32": 495e12, "fp32": 67e12},
    dram_bytes_s=4800e9,
    dram_efficiency=Range(0.85, 0.90, 0.92),
    gemm_efficiency=Range(0.70, 0.79, 0.90),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=60_000_000,
    l2_bytes_s=8986e9,
    dram_pj_per_bit=_HBM,
    idle_w=Range(44.3, 90.0, 180.0),
    board_w=700.0,
)

# The devices below only serve the check against published latencies; data-sheet figures
# (bandwidth, FP32 peak, multiprocessors), everything else assumed as of the A100.
RTX4090 = Device(
    name="RTX 4090",
    multiprocessors=128,
    peak_flop_s={"amp": 330e12, "tf32": 82.6e12, "fp32": 82.6e12},
    dram_bytes_s=1008e9,
    dram_efficiency=Range(0.80, 0.90, 0.92),
    gemm_efficiency=Range(0.70, 0.80, 0.90),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=72 * 2**20,
    l2_bytes_s=5000e9,
    dram_pj_per_bit=Range(7.0, 7.25, 7.5),
    idle_w=Range(44.3, 60.0, 120.0),
    board_w=450.0,
)
RTX2080TI = Device(
    name="RTX 2080 Ti",
    multiprocessors=68,
    peak_flop_s={"amp": 107e12, "tf32": 13.4e12, "fp32": 13.4e12},
    dram_bytes_s=616e9,
    dram_efficiency=Range(0.80, 0.90, 0.92),
    gemm_efficiency=Range(0.70, 0.85, 0.93),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=5632 * 2**10,
    l2_bytes_s=2000e9,
    dram_pj_per_bit=Range(7.0, 7.5, 8.0),
    idle_w=Range(44.3, 62.0, 80.3),
    board_w=250.0,
    l2_share=_WHOLE,
)
RTX3090 = Device(
    name="RTX 3090",
    multiprocessors=82,
    peak_flop_s={"amp": 71e12, "tf32": 35.6e12, "fp32": 35.6e12},
    dram_bytes_s=936e9,
    dram_efficiency=Range(0.80, 0.90, 0.92),
    gemm_efficiency=Range(0.70, 0.85, 0.93),
    conv_efficiency=_conv(Range(0.52, 0.94, 1.04)),
    l2_nbytes=6 * 2**20,
    l2_bytes_s=3000e9,
    dram_pj_per_bit=Range(7.0, 7.25, 7.5),
    idle_w=Range(44.3, 60.0, 120.0),
    board_w=350.0,
    l2_share=_WHOLE,
)

DEVICES = {"A100": A100, "V100": V100, "H100": H100, "H200": H200}


def device(name: str) -> Device:
    """The device of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DEVICES:
        raise ConfigError(f"GPU {name!r} is unknown; there is {', '.join(DEVICES)}")
    return DEVICES[name]
