"""The L2 cache of a GPU: least recently used, with a limit on what is not yet written back.

Kept in blocks of a few hundredths of the capacity, not in lines of 128 bytes: kernels sweep whole
tensors, so that neighbouring lines share one fate. A write does not fetch (32-byte sectors).
"""

from __future__ import annotations

from collections import OrderedDict

from tlm_analysis.gpu.device.devices import Device

BLOCKS = 256
_INDEX_BITS = 40


class L2Cache:
    """Contents and traffic of one L2.

    ``dram_read_nbytes`` and ``dram_write_nbytes`` count since the start.
    """

    def __init__(self, device: Device, blocks: int = BLOCKS) -> None:
        """An empty cache, kept in so many blocks."""
        self.capacity_nbytes = int(device.l2_nbytes * device.l2_share.value)
        self.dirty_limit_nbytes = int(self.capacity_nbytes * device.dirty_share)
        self.block_nbytes = self.capacity_nbytes // blocks
        self.dram_read_nbytes = 0
        self.dram_write_nbytes = 0
        self._held: OrderedDict[int, int] = OrderedDict()
        self._dirty: OrderedDict[int, int] = OrderedDict()
        self._held_nbytes = 0
        self._dirty_nbytes = 0

    def touch(self, buffer: int, start: int, end: int, size: int, *, write: bool) -> None:
        """Read or write bytes ``start`` to ``end`` of a buffer of ``size`` bytes."""
        block = self.block_nbytes
        base = buffer << _INDEX_BITS
        for index in range(start // block, -(-end // block)):
            nbytes = min(block, size - index * block)
            if write:
                self._write(base + index, nbytes)
            else:
                self._read(base + index, nbytes)

    def _read(self, key: int, nbytes: int) -> None:
        if key in self._held:
            self._held.move_to_end(key)
            return
        self.dram_read_nbytes += nbytes
        self._insert(key, nbytes)

    def _write(self, key: int, nbytes: int) -> None:
        if key in self._held:
            self._held.move_to_end(key)
        else:
            self._insert(key, nbytes)
        if key in self._dirty:
            self._dirty.move_to_end(key)
            return
        self._dirty[key] = nbytes
        self._dirty_nbytes += nbytes
        while self._dirty_nbytes > self.dirty_limit_nbytes:
            self._write_back(*self._dirty.popitem(last=False))

    def _insert(self, key: int, nbytes: int) -> None:
        self._held[key] = nbytes
        self._held_nbytes += nbytes
        while self._held_nbytes > self.capacity_nbytes:
            oldest, freed = self._held.popitem(last=False)
            self._held_nbytes -= freed
            if oldest in self._dirty:
                self._write_back(oldest, self._dirty.pop(oldest))

    def _write_back(self, _key: int, nbytes: int) -> None:
        self._dirty_nbytes -= nbytes
        self.dram_write_nbytes += nbytes
