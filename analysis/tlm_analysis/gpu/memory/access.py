"""The order in which a kernel touches its tensors: sweeps side by side, or waves of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tlm_analysis.gpu.device.devices import Device
from tlm_analysis.gpu.step.kernel import Gemm, GpuTensor, Kernel

Access: TypeAlias = tuple[GpuTensor, int, int, bool]
"""Tensor, first byte, one past the last byte, and whether it is written."""


def accesses(kernel: Kernel, device: Device, chunk_nbytes: int) -> Iterator[Access]:
    """What a kernel reads and writes, in order; each wave touches a byte once.

    The blocks of one wave of a product share what they read through L2 (gpu model of the V100
    check: 4096 x 4096 x 4096 reads 543.16 MB so, and 543.17 MB were measured).
    """
    if kernel.gemm is None:
        for group in range(kernel.groups):
            reads = _group(kernel.reads, group, kernel.groups)
            yield from _sweep(
                reads, _group(kernel.writes, group, kernel.groups), 0, 1, 1, chunk_nbytes
            )
    else:
        yield from _waves(kernel, kernel.gemm, device)


def l2_read_nbytes(kernel: Kernel) -> int:
    """Bytes that pass from L2 to the multiprocessors: every tile reads both its operands.

    ``tiles (tile_m + tile_n) k`` elements, the last tiles clipped, plus what is added to.
    """
    gemm = kernel.gemm
    if gemm is None:
        return kernel.read_nbytes
    left, right, *added = kernel.reads
    # Each operand passes once per tile of the other's direction, as often as the view repeats it.
    rows_read = gemm.columns * left.storage.nbytes * (1 if gemm.over_images else gemm.reuse)
    columns_read = gemm.rows * right.storage.nbytes * (gemm.reuse if gemm.over_images else 1)
    return int(rows_read + columns_read) + sum(tensor.nbytes for tensor in added)


def _group(tensors: tuple[GpuTensor, ...], group: int, groups: int) -> tuple[GpuTensor, ...]:
    each = len(tensors) // groups
    return tensors[group * each : (group + 1) * each]


def _sweep(
    reads: tuple[GpuTensor, ...],
    writes: tuple[GpuTensor, ...],
    first: int,
    last: int,
    parts: int,
    chunk_nbytes: int,
) -> Iterator[Access]:
    """Parts ``first`` to ``last`` of ``parts`` of all tensors, side by side."""
    longest = max((tensor.nbytes for tensor in (*reads, *writes)), default=0)
    chunks = max(1, -(-longest * (last - first) // (parts * chunk_nbytes)))
    for chunk in range(chunks):
        start = (first * chunks + chunk * (last - first), parts * chunks)
        end = (first * chunks + (chunk + 1) * (last - first), parts * chunks)
        for tensor in reads:
            yield _piece(tensor, start, end, write=False)
        for tensor in writes:
            yield _piece(tensor, start, end, write=True)


def _piece(
    tensor: GpuTensor, start: tuple[int, int], end: tuple[int, int], *, write: bool
) -> Access:
    first = tensor.nbytes * start[0] // start[1]
    last = tensor.nbytes * end[0] // end[1]
    return tensor, first, last, write


def _waves(kernel: Kernel, gemm: Gemm, device: Device) -> Iterator[Access]:
    left, right, *added = kernel.reads
    width = gemm.persistent or device.multiprocessors
    for first in range(0, gemm.tiles, width):
        last = min(first + width, gemm.tiles)
        for split, rows, columns in _tile_ranges(gemm, first, last):
            yield _operand(left, gemm, split, rows, gemm.rows)
            for column_range in columns:
                yield _operand(right, gemm, split, column_range, gemm.columns)
        yield from _sweep(
            tuple(added), kernel.writes, first, last, gemm.tiles, device.l2_nbytes // 64
        )


def _tile_ranges(
    gemm: Gemm, first: int, last: int
) -> Iterator[tuple[int, tuple[int, int], tuple[tuple[int, int], ...]]]:
    """Tiles ``first`` to ``last`` by part of k and panel: the rows and the ranges of columns."""
    panel = min(gemm.panel or gemm.columns, gemm.columns)
    start = 0
    for split in range(gemm.splits):
        for left in range(0, gemm.columns, panel):
            width = min(panel, gemm.columns - left)
            count = gemm.rows * width
            begin, end = max(first - start, 0), min(last - start, count)
            if begin < end:
                rows = (begin // width, (end - 1) // width + 1)
                yield split, rows, _columns(left, width, begin, end)
            start += count


def _columns(left: int, width: int, begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """One or two ranges of columns of a panel that starts at ``left``."""
    if end - begin >= width:
        return ((left, left + width),)
    first, last = begin % width, (end - 1) % width + 1
    if first < last:
        return ((left + first, left + last),)
    return (left + first, left + width), (left, left + last)


def _operand(
    tensor: GpuTensor, gemm: Gemm, split: int, tiles: tuple[int, int], of_tiles: int
) -> Access:
    """Its share for those tiles, as one stretch: layouts inside a part of k are not modelled."""
    parts = gemm.splits * of_tiles
    start = (split * of_tiles + tiles[0], parts)
    return _piece(tensor, start, (split * of_tiles + tiles[1], parts), write=False)
