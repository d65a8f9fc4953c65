"""The check against counters of a V100: kernels of AccelWattch's set, sizes from their sources.

V100Counters bytes: ``reference/v100_traffic.csv``. Sizes: the arguments in AccelWattch's
``profile_validation_power.sh`` and the constants of the programs it runs (CUDA samples, CUTLASS 1,
Rodinia 3.1, Parboil), never the bytes measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from tlm_analysis.gpu.device.devices import V100
from tlm_analysis.gpu.memory.traffic import KernelTraffic, isolated_traffic
from tlm_analysis.gpu.step.kernel import Gemm, GpuTensor, Kernel

# CUTLASS 1 wmma_gemm writes its tile in slabs of 16 columns (the WMMA shape). Calibrated on two
# of the three kernels, whose L2 writes are 29/8 of C: the first slab of a tile is written in whole
# sectors, every further one in four writes a sector. The third (one slab) writes C once.
_SLAB_COLUMNS = 16
_WRITES_PER_SECTOR = 4


@dataclass(frozen=True)
class V100Counters:
    """Bytes of one kernel from the hardware counters, MB (1e6 bytes)."""

    dram_read_mb: float
    dram_write_mb: float
    l2_read_mb: float
    l2_write_mb: float


@dataclass(frozen=True)
class V100Case:
    """A kernel of the set: what it is, where its sizes come from, and what is claimed of it.

    ``l2_read`` is false where multiprocessors read an element more than once from L2 in a way that
    the model does not describe. ``standing`` is ``validated`` or, with a figure fitted to the same
    kernel, ``calibrated``.
    """

    name: str
    kernel: Kernel
    source: str
    l2_read: bool = True
    l2_writes: float = 1.0
    standing: str = "validated"


def measured() -> dict[str, V100Counters]:
    """The reference table by kernel name."""
    text = (files("tlm_analysis.gpu.checks") / "reference" / "v100_traffic.csv").read_text(
        encoding="utf-8"
    )
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return {row[0]: V100Counters(*(float(field) for field in row[1:5])) for row in rows[1:]}


def predicted(case: V100Case) -> KernelTraffic:
    """A case on its own, on an empty cache; L2 writes with its epilogue's rewrites."""
    traffic = isolated_traffic(case.kernel, V100)
    return KernelTraffic(
        traffic.dram_read_nbytes,
        traffic.dram_write_nbytes,
        traffic.l2_read_nbytes,
        int(traffic.l2_write_nbytes * case.l2_writes),
    )


def wmma_writes(n: int, tile_n: int = 128) -> float:
    """Sectors written per sector of C by CUTLASS 1 wmma_gemm, n columns (calibrated)."""
    slabs = -(-min(n, tile_n) // _SLAB_COLUMNS)
    return (1 + _WRITES_PER_SECTOR * (slabs - 1)) / slabs


def _stream(name: str, read: int, write: int, flop: int = 0) -> Kernel:
    return Kernel(
        name, "elementwise", "", (GpuTensor("in", read),), (GpuTensor("out", write),), flop
    )


def _in_place(name: str, nbytes: int) -> Kernel:
    data = GpuTensor("data", nbytes)
    return Kernel(name, "elementwise", "", (data,), (data,))


def _product(name: str, gemm: Gemm, element: int, added: int = 0) -> Kernel:
    operands = (
        GpuTensor("A", gemm.m * gemm.k * element),
        GpuTensor("B", gemm.k * gemm.n * element),
    )
    extra = (GpuTensor("C", added),) if added else ()
    result = GpuTensor("D", 4 * gemm.m * gemm.n)
    return Kernel(name, "linear", "", operands + extra, (result,), gemm.flop, gemm)


def _cutlass(number: int, m: int, n: int, k: int) -> V100Case:
    name = f"cutlass_perf_test_k{number}_k1"
    kernel = _product(name, Gemm(m, n, k), element=2)
    source = f"wmma_gemm_nn --m={m} --n={n} --k={k}, FP16 in, FP32 out, beta 0"
    standing = "validated" if n <= _SLAB_COLUMNS else "validated; L2 writes calibrated"
    return V100Case(name, kernel, source, l2_writes=wmma_writes(n), standing=standing)


def cases() -> tuple[V100Case, ...]:
    """The kernels that the model describes, products first: one long table, entry by entry."""
    side, walsh, keys = 4096, 2**23, 4 * 2**20
    quasi, sobol = 3 * 2**20 * 4, 100_000 * 100 * 4
    pixels, image = 512 * 512 * 4, 502 * 458 * 4
    units, voxels = 65_537 * 17 * 4, 64**3
    q = GpuTensor("Q", 2 * 4 * voxels)
    return (
        V100Case(
            "cudaTensorCoreGemm_k1",
            _product(
                "cudaTensorCoreGemm",
                Gemm(side, side, side, persistent=80),
                element=2,
                added=4 * side * side,
            ),
            "CUDA sample: 4096 x 4096 x 4096, FP16 in, FP32 C and D, 128 x 128, a block an SM",
        ),
        _cutlass(1, 2560, 16, 2560),
        _cutlass(2, 4096, 128, 4096),
        _cutlass(3, 2560, 512, 2560),
        V100Case(
            "parboil-sgemm_k1",
            _product(
                "sgemm",
                Gemm(1024, 1056, 992, 128, 16, persistent=528),
                element=4,
                added=4 * 1024 * 1056,
            ),
            "Parboil medium: 1024 x 992 times 992 x 1056, FP32, C read; blocks of 128 threads, "
            "all 528 at once",
            l2_read=False,
        ),
        V100Case(
            "fastWalshTransform_k1",
            _in_place("fwtBatch2", 4 * walsh),
            "CUDA sample: 2^23 floats in place",
        ),
        V100Case(
            "fastWalshTransform_k2",
            _in_place("fwtBatch1", 4 * walsh),
            "CUDA sample: 2^23 floats in place",
        ),
        V100Case(
            "mergeSort_k1",
            _stream("mergeSortShared", 2 * 4 * keys, 2 * 4 * keys),
            "CUDA sample: 4 Mi keys and values, 32 bit",
        ),
        V100Case(
            "mergeSort_k2",
            _stream("mergeElementaryIntervals", 2 * 4 * keys, 2 * 4 * keys),
            "CUDA sample: 4 Mi keys and values, 32 bit, merged to scattered places",
            l2_read=False,
        ),
        V100Case(
            "parboil-mri-q_k1",
            Kernel("ComputeQ", "elementwise", "", (GpuTensor("xyz", 12 * voxels), q), (q,)),
            "Parboil large: 64 x 64 x 64 voxels; x, y, z and complex Q, which is added to",
        ),
        V100Case(
            "histogram_k1",
            _stream("histogram64", 64 * 2**20, 4370 * 64 * 4),
            "CUDA sample: 64 MiB; 64 counters of each of ceil(2^26 / (64 x 240)) = 4370 blocks",
        ),
        V100Case(
            "quasirandomGenerator_k1",
            _stream("quasirandom", 3 * 31 * 4, quasi),
            "CUDA sample: 3 dimensions of 2^20 floats",
            l2_read=False,
        ),
        V100Case(
            "quasirandomGenerator_k2",
            _stream("inverseCND", 0, quasi),
            "CUDA sample: 3 x 2^20 floats from an index",
        ),
        V100Case(
            "sobolQRNG_k1",
            _stream("sobol", 100 * 32 * 4, sobol),
            "CUDA sample: 100 000 vectors of 100 dimensions; 32 direction numbers each",
            l2_read=False,
        ),
        V100Case(
            "dct8x8_k2",
            _stream("dct8x8", pixels, pixels),
            "CUDA sample: 512 x 512 floats",
        ),
        V100Case(
            "dct8x8_k1",
            _stream("dct8x8 by texture", pixels, pixels),
            "CUDA sample: 512 x 512 floats, read through the texture unit",
            l2_read=False,
        ),
        V100Case(
            "srad_v1_k1",
            _stream("srad", image, 5 * image),
            "Rodinia: 502 x 458 floats in, five such out",
            l2_read=False,
        ),
        V100Case(
            "backprop_k2",
            _stream("adjust weights", 2 * units + 4 * 65_537, 2 * 65_536 * 16 * 4),
            "Rodinia: 65 536 inputs, 16 hidden; weights and last changes, rows of 17 floats",
            l2_read=False,
        ),
    )
