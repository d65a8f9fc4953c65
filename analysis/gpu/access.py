"""The order in which a kernel touches its tensors: sweeps side by side, or waves of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from analysis.gpu.devices import Device
from analysis.gpu.kernel import Gemm, Kernel, Tensor

Access: TypeAlias = tuple[Tensor, int, int, bool]
"""Tensor, first byte, one past the last byte, and whether it is written."""


def accesses(kernel: Kernel, device: Device, chunk_nbytes: int) -> Iterator[Access]:
    """What a kernel reads and writes, in order; each wave touches a byte once.

    The blocks of one wave of a product share what they read through L2 (gpu model of the V100
    check: 4096 x 4096 x 4096 reads 543.16 MB so, and 543.17 MB were measured).
    """
    if kernel.gemm is None:
        yield from _sweep(kernel.reads, kernel.writes, 0, 1, 1, chunk_nbytes)
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
    # Each operand passes once per tile of the other's direction, and each tap of it anew.
    rows_read = gemm.columns * left.nbytes * (1 if gemm.over_images else gemm.taps)
    columns_read = gemm.rows * right.nbytes * (gemm.taps if gemm.over_images else 1)
    return rows_read + columns_read + sum(tensor.nbytes for tensor in added)


def _sweep(
    reads: tuple[Tensor, ...],
    writes: tuple[Tensor, ...],
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


def _piece(tensor: Tensor, start: tuple[int, int], end: tuple[int, int], *, write: bool) -> Access:
    first = tensor.nbytes * start[0] // start[1]
    last = tensor.nbytes * end[0] // end[1]
    return tensor, first, last, write


def _waves(kernel: Kernel, gemm: Gemm, device: Device) -> Iterator[Access]:
    left, right, *added = kernel.reads
    width = gemm.persistent or device.multiprocessors
    for first in range(0, gemm.tiles, width):
        last = min(first + width, gemm.tiles)
        for split, begin, end in _by_split(gemm, first, last):
            rows, columns = _tile_ranges(gemm, begin, end)
            yield _operand(left, gemm, split, rows, gemm.rows)
            for column_range in columns:
                yield _operand(right, gemm, split, column_range, gemm.columns)
        yield from _sweep(
            tuple(added), kernel.writes, first, last, gemm.tiles, device.l2_nbytes // 64
        )


def _by_split(gemm: Gemm, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Tiles ``first`` to ``last`` as (part of k, first tile, last tile within the part)."""
    per_split = gemm.rows * gemm.columns
    for split in range(first // per_split, (last - 1) // per_split + 1):
        base = split * per_split
        yield split, max(first - base, 0), min(last - base, per_split)


def _tile_ranges(
    gemm: Gemm, begin: int, end: int
) -> tuple[tuple[int, int], tuple[tuple[int, int], ...]]:
    """The rows of tiles, and the one or two ranges of columns; tiles run along n first."""
    columns = gemm.columns
    rows = (begin // columns, (end - 1) // columns + 1)
    if end - begin >= columns:
        return rows, ((0, columns),)
    left, right = begin % columns, (end - 1) % columns + 1
    if left < right:
        return rows, ((left, right),)
    return rows, ((left, columns), (0, right))


def _operand(
    tensor: Tensor, gemm: Gemm, split: int, tiles: tuple[int, int], of_tiles: int
) -> Access:
    """Its share for those tiles, as one stretch: layouts inside a part of k are not modelled."""
    parts = gemm.splits * of_tiles
    start = (split * of_tiles + tiles[0], parts)
    return _piece(tensor, start, (split * of_tiles + tiles[1], parts), write=False)
