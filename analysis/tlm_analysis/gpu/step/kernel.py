"""What a GPU kernel touches: tensors, and the product behind it if it is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, eq=False)
class GpuTensor:
    """``nbytes`` bytes; ``kept`` from one iteration to the next (a weight), or not.

    A view lies in the storage of ``base``, ``offset`` bytes from its start.
    """

    name: str
    nbytes: int
    kept: bool = False
    base: GpuTensor | None = None
    offset: int = 0

    @property
    def storage(self) -> GpuTensor:
        """What owns the bytes: the tensor itself, or what it is a view of."""
        return self if self.base is None else self.base

    def step(self, index: int, steps: int) -> GpuTensor:
        """View of one of ``steps`` equal parts."""
        nbytes = self.nbytes // steps
        return GpuTensor(f"{self.name}[{index}]", nbytes, base=self, offset=index * nbytes)


@dataclass(frozen=True)
class Gemm:
    """A product [m, k] x [k, n], in tiles of ``tile_m`` x ``tile_n`` and ``splits`` parts of k.

    ``reuse`` is how often a convolution's view of the image repeats an element of it (R S at stride
    1), which moves once from DRAM; the view is the left operand, in a weight gradient
    (``over_images``) the right one.
    ``persistent`` blocks, if any, share the tiles among them; else the device's multiprocessors.
    Tiles run along n first, within panels of ``panel`` columns of tiles (all if None).
    """

    m: int
    n: int
    k: int
    tile_m: int = 128
    tile_n: int = 128
    splits: int = 1
    reuse: float = 1
    over_images: bool = False
    persistent: int | None = None
    panel: int | None = None
    useful: int | None = None

    @property
    def rows(self) -> int:
        """Tiles along m."""
        return -(-self.m // self.tile_m)

    @property
    def columns(self) -> int:
        """Tiles along n."""
        return -(-self.n // self.tile_n)

    @property
    def tiles(self) -> int:
        """Tiles of the product, all splits."""
        return self.rows * self.columns * self.splits

    @property
    def flop(self) -> int:
        """Two operations per multiply-accumulate, or ``useful`` where a stride skips some."""
        return 2 * self.m * self.n * self.k if self.useful is None else self.useful


@dataclass(frozen=True, eq=False)
class Kernel:
    """One launch: ``kind`` is ``conv``, ``linear`` or ``elementwise``.

    A product reads its operands [m, k] and [k, n] first, in this order, then whatever it adds to.
    An elementwise kernel sweeps its tensors side by side, or in ``groups`` of equally many, one
    after another (the launches that do the same to a list of tensors).
    ``holds`` are tensors that autograd keeps alive until then although nothing reads them.
    """

    name: str
    kind: str
    phase: str
    reads: tuple[GpuTensor, ...]
    writes: tuple[GpuTensor, ...]
    flop: int = 0
    gemm: Gemm | None = None
    holds: tuple[GpuTensor, ...] = ()
    groups: int = 1

    @cached_property
    def read_nbytes(self) -> int:
        """Every tensor read, once."""
        return sum(tensor.nbytes for tensor in self.reads)

    @cached_property
    def write_nbytes(self) -> int:
        """Every tensor written, once."""
        return sum(tensor.nbytes for tensor in self.writes)

    @property
    def nbytes(self) -> int:
        """Compulsory traffic, bytes."""
        return self.read_nbytes + self.write_nbytes
