"""What is decided of a layer before it has an address: how it is cut, and what stays where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tlm.space.grid import Grid, Split
from tlm.space.region import Slice

Store = Literal["memory", "dram"]
StatePolicy = Literal["spill", "keep", "recompute", "dropped"]


@dataclass(frozen=True, slots=True)
class LayerCut:
    """A layer cut over the cores: its grid, the slices of it, and who owns what.

    ``owner`` [B, K, E'] is the index of the slice that owns a pooled row of a sample and channel.
    """

    grid: Grid
    slices: list[Slice]
    owner: np.ndarray[tuple[int, ...], np.dtype[np.int64]]

    @property
    def split(self) -> Split:
        """How many parts each dimension is cut into."""
        return self.grid.split


@dataclass(frozen=True, slots=True)
class LayerStores:
    """Where each tensor of a layer waits: in the cores' memories, or in DRAM.

    ``inputs`` of FP, of all samples and steps (in memory: they come over the mesh); ``S``, the
    output for later layers (in memory: none of it is written to DRAM); ``Y``, the
    product before batch statistics are known, from FP to BP, ``Y_forward`` until it is normalised,
    ``Y_backward`` from its first use in BP to its last; ``dI`` until the sums of BP are known, if
    it is not made of dS a second time then; ``U`` between two steps of a wavefront; ``dS`` on
    arrival; ``dY`` between the gradient unit and BP and WG; ``dW`` between pieces of a mini-batch;
    the weights ``W`` and their ``moments`` from one mini-batch to the next, ``W_forward`` and
    ``W_backward`` while FP or BP of the layer lasts. ``dY_room`` are the bits of a core that dY
    alternates in, ``input_room`` and ``dY_rows_room`` those for rows of FP's inputs and of BP's dY
    from DRAM. ``state`` says how BP gets U, S and m of FP; ``dropped``: there is no BP.
    """

    inputs: Store
    S: Store
    Y: Store
    Y_forward: Store
    Y_backward: Store
    dI: Store | Literal["recompute"]
    U: Store
    dS: Store
    dY: Store
    dY_room: int
    input_room: int
    dY_rows_room: int
    dW: Store
    W: Store
    W_forward: Store
    W_backward: Store
    moments: Store
    state: StatePolicy
