from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlm_analysis.gpu.checks.v100 import V100Case, cases, measured, predicted, wmma_writes
from tlm_analysis.gpu.device.devices import A100, V100, Device
from tlm_analysis.gpu.memory.traffic import isolated_traffic, step_traffic
from tlm_analysis.gpu.step.kernel import Gemm, GpuTensor, Kernel

MB = 10**6
SMALL: Device = replace(V100, l2_nbytes=100 * MB)


def copy(source: GpuTensor, target: GpuTensor) -> Kernel:
    """An elementwise kernel from one tensor to another."""
    return Kernel("copy", "elementwise", "fp", (source,), (target,))


def totals(kernels: list[Kernel], device: Device = SMALL) -> tuple[float, float]:
    """DRAM bytes read and written by a step in the steady state, MB."""
    found = step_traffic(kernels, device).kernels
    return (
        sum(t.dram_read_nbytes for t in found) / MB,
        sum(t.dram_write_nbytes for t in found) / MB,
    )


def within(found: int, reference_mb: float) -> bool:
    """Within 5 %, or 0.01 MB of it (the table's rounding) for counters that are all but zero."""
    return abs(found / MB - reference_mb) <= max(0.05 * reference_mb, 0.01)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_dram_bytes_of_a_v100_kernel(case: V100Case) -> None:
    """Reads and all DRAM bytes of an isolated kernel lie within 5 % of the counters."""
    reference, found = measured()[case.name], predicted(case)
    assert within(found.dram_nbytes, reference.dram_read_mb + reference.dram_write_mb)
    assert within(found.dram_read_nbytes, reference.dram_read_mb)


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.l2_read], ids=lambda case: case.name
)
def test_l2_bytes_of_a_v100_kernel(case: V100Case) -> None:
    """L2 reads and writes lie within 5 % where the model claims them."""
    reference, found = measured()[case.name], predicted(case)
    assert within(found.l2_read_nbytes, reference.l2_read_mb)
    assert within(found.l2_write_nbytes, reference.l2_write_mb)


def test_tile_and_wave_by_hand() -> None:
    """4096^3 by 80 blocks of 128 x 128: 13 waves touch 39 rows of tiles, and all columns each."""
    side, element = 4096, 2
    operands = [GpuTensor(name, side * side * element) for name in "AB"]
    gemm = Gemm(side, side, side, persistent=80)
    product = Kernel("p", "linear", "", tuple(operands), (GpuTensor("D", 4 * side**2),), 0, gemm)
    rows = sum((min(80 * w + 80, 1024) - 1) // 32 - 80 * w // 32 + 1 for w in range(13))
    expected = (rows * 128 + 13 * side) * side * element
    found = isolated_traffic(product, V100)
    assert found.dram_read_nbytes == pytest.approx(expected, rel=2e-3)
    assert found.l2_read_nbytes == 1024 * 256 * side * element


def test_wmma_epilogue_rewrites() -> None:
    """One slab of 16 columns is written once, eight 29/8 times."""
    assert wmma_writes(16) == 1
    assert wmma_writes(128) == wmma_writes(512) == 29 / 8


def test_dirty_lines_are_carried_and_not_counted_in_isolation() -> None:
    """A write of a tenth of L2 reaches no DRAM alone; alternating with a large one it does."""
    small, large = GpuTensor("small", 10 * MB), GpuTensor("large", 400 * MB)
    fill = Kernel("fill", "elementwise", "fp", (), (small,))
    assert isolated_traffic(fill, SMALL).dram_write_nbytes == 0
    flush = Kernel("flush", "elementwise", "fp", (), (large,))
    assert totals([fill, flush])[1] == pytest.approx(410, rel=0.01)


def test_what_the_last_kernel_left_is_read_from_l2() -> None:
    """A chain of tensors that fit is read once from DRAM at most; a long one at every kernel."""
    image = GpuTensor("image", 20 * MB, kept=True)
    a, b = GpuTensor("a", 20 * MB), GpuTensor("b", 20 * MB)
    assert totals([copy(image, a), copy(a, b)]) == (0, 0)
    image, a, b = (GpuTensor(name, 500 * MB) for name in ("image", "a", "b"))
    assert totals([copy(image, a), copy(a, b)])[0] == pytest.approx(1000, rel=0.01)


def test_freed_storage_is_used_again() -> None:
    """Temporary tensors of one size share two places, so that the peak holds two of them."""
    chain = [GpuTensor(str(i), 30 * MB) for i in range(6)]
    kernels = [copy(one, other) for one, other in pairwise(chain)]
    assert step_traffic(kernels, SMALL).peak_nbytes == 60 * MB


def test_held_tensors_count_in_the_peak_but_move_nothing() -> None:
    """Autograd's references keep storage alive without a byte of traffic."""
    a, b, c = (GpuTensor(name, 10 * MB) for name in "abc")
    plain = [copy(a, b), copy(b, c), Kernel("end", "elementwise", "bp", (c,), ())]
    held = [*plain[:2], replace_holds(plain[2], a)]
    assert step_traffic(held, SMALL).peak_nbytes == step_traffic(plain, SMALL).peak_nbytes + 10 * MB
    assert totals(held) == totals(plain) == (0, 0)


def replace_holds(kernel: Kernel, *tensors: GpuTensor) -> Kernel:
    """The kernel, holding tensors besides."""
    return Kernel(
        kernel.name, kernel.kind, kernel.phase, kernel.reads, kernel.writes, holds=tensors
    )


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=2, max_size=8),
    share=st.sampled_from([0.25, 0.5, 1.0]),
)
def test_dram_bytes_never_exceed_the_compulsory_ones(sizes: list[int], share: float) -> None:
    """A cache can only save bytes of elementwise kernels, whatever their order and its limits."""
    device = replace(A100, l2_nbytes=100 * MB, dirty_share=share)
    chain = [GpuTensor(str(i), size * MB) for i, size in enumerate(sizes)]
    kernels = [copy(one, other) for one, other in pairwise(chain)]
    read, written = totals(kernels, device)
    assert read <= sum(kernel.read_nbytes for kernel in kernels) / MB
    assert written <= sum(kernel.write_nbytes for kernel in kernels) / MB
