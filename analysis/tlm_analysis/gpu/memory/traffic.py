"""Bytes of every kernel in DRAM and L2, and the memory a step holds, by replaying the kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tlm_analysis.gpu.device.devices import Device
from tlm_analysis.gpu.memory.access import accesses, l2_read_nbytes
from tlm_analysis.gpu.memory.cache import BLOCKS, L2Cache
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel


@dataclass(frozen=True)
class KernelTraffic:
    """Bytes one kernel moves: DRAM to L2 and back, L2 to the multiprocessors and back."""

    dram_read_nbytes: int
    dram_write_nbytes: int
    l2_read_nbytes: int
    l2_write_nbytes: int

    @property
    def dram_nbytes(self) -> int:
        """Both directions."""
        return self.dram_read_nbytes + self.dram_write_nbytes

    @property
    def l2_nbytes(self) -> int:
        """Both directions."""
        return self.l2_read_nbytes + self.l2_write_nbytes


@dataclass(frozen=True)
class StepTraffic:
    """Traffic of every kernel of a step, and the most bytes of storage alive at once."""

    kernels: tuple[KernelTraffic, ...]
    peak_nbytes: int


def step_traffic(kernels: Sequence[Kernel], device: Device, blocks: int = BLOCKS) -> StepTraffic:
    """A step in the steady state: the cache's contents and dirty lines pass from kernel to kernel.

    The step runs twice and the second is counted, so that it finds what the last one left. Fewer
    ``blocks`` of the cache are quicker, and enough where tensors are many times its size.
    """
    cache = L2Cache(device, blocks)
    storage = Storage(kernels)
    _run(kernels, device, cache, storage)
    traffic = _run(kernels, device, cache, storage)
    return StepTraffic(traffic, storage.peak_nbytes)


def isolated_traffic(kernel: Kernel, device: Device) -> KernelTraffic:
    """One kernel alone, as a profiler counts it: the cache begins empty, and dirty lines that are
    still in it at the end are not counted."""
    return _run((kernel,), device, L2Cache(device), Storage((kernel,)))[0]


def _run(
    kernels: Sequence[Kernel], device: Device, cache: L2Cache, storage: Storage
) -> tuple[KernelTraffic, ...]:
    traffic = []
    for index, kernel in enumerate(kernels):
        read, written = cache.dram_read_nbytes, cache.dram_write_nbytes
        storage.before(index)
        for tensor, start, end, write in accesses(kernel, device, cache.block_nbytes):
            if end > start:
                owner, offset = tensor.storage, tensor.offset
                place = storage.buffer(owner)
                cache.touch(place, offset + start, offset + end, owner.nbytes, write=write)
        storage.after(index)
        traffic.append(
            KernelTraffic(
                cache.dram_read_nbytes - read,
                cache.dram_write_nbytes - written,
                l2_read_nbytes(kernel),
                kernel.write_nbytes,
            )
        )
    return tuple(traffic)


class Storage:
    """Where tensors lie, as in PyTorch's caching allocator: freed storage goes to the next tensor
    of the same size, whose lines may still be in the cache.

    A tensor lives from the first kernel that uses it to the last; ``kept`` ones live throughout.
    """

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        """Lifetimes of the tensors of ``kernels``."""
        first: dict[GpuTensor, int] = {}
        last: dict[GpuTensor, int] = {}
        for index, kernel in enumerate(kernels):
            for tensor in (*kernel.reads, *kernel.writes, *kernel.holds):
                first.setdefault(tensor.storage, index)
                last[tensor.storage] = index
        kept = [tensor for tensor in first if tensor.kept]
        self._born: dict[int, list[GpuTensor]] = defaultdict(list)
        self._dies: dict[int, list[GpuTensor]] = defaultdict(list)
        for tensor, index in first.items():
            if not tensor.kept:
                self._born[index].append(tensor)
                self._dies[last[tensor]].append(tensor)
        self._free: dict[int, list[int]] = defaultdict(list)
        self._place: dict[GpuTensor, int] = {tensor: place for place, tensor in enumerate(kept)}
        self._places = len(kept)
        self._live_nbytes = sum(tensor.nbytes for tensor in kept)
        self.peak_nbytes = self._live_nbytes

    def buffer(self, tensor: GpuTensor) -> int:
        """The number of a living tensor's storage."""
        return self._place[tensor]

    def before(self, index: int) -> None:
        """Give storage to what kernel ``index`` is the first to use."""
        for tensor in self._born[index]:
            free = self._free[tensor.nbytes]
            if free:
                self._place[tensor] = free.pop()
            else:
                self._place[tensor] = self._places
                self._places += 1
            self._live_nbytes += tensor.nbytes
        self.peak_nbytes = max(self.peak_nbytes, self._live_nbytes)

    def after(self, index: int) -> None:
        """Take back the storage of what kernel ``index`` was the last to use."""
        for tensor in self._dies[index]:
            self._free[tensor.nbytes].append(self._place.pop(tensor))
            self._live_nbytes -= tensor.nbytes
