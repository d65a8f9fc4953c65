"""What a recorded training job is: layers, the job around them, and one iteration's tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape3: TypeAlias = tuple[int, int, int]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Pool:
    """Pooling between a layer's neurons and the next layer; ``size`` and ``stride`` in neurons."""

    kind: Literal["max"]
    size: int
    stride: int


@dataclass(frozen=True)
class Neuron:
    """Parameters of a leaky integrate-and-fire layer and of its surrogate gradient.

    ``H[t] = decay V[t-1] + gain I[t]``, spike where ``H >= threshold``; a hard reset sets V to 0,
    a soft reset subtracts the threshold. ``surrogate_width`` is the full width of the support of
    a compact surrogate, in units of the membrane potential.
    """

    decay: float
    gain: float
    threshold: float
    reset: Literal["hard", "soft"]
    detach_reset: bool
    surrogate: str
    surrogate_width: float
    compact: bool


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer with the neurons behind it.

    ``in_shape`` is (C, H, W), ``out_shape`` (K, E, F) of the neurons before pooling, ``kernel``
    (R, S). A linear layer has in_shape (C, 1, 1), out_shape (K, 1, 1) and kernel (1, 1); after
    a convolution its inputs are the pooled neurons flattened in [c][y][x] order.
    ``sources`` holds producer layer indices, -1 for the network's input.
    """

    index: int
    name: str
    kind: Literal["conv", "linear"]
    in_shape: Shape3
    out_shape: Shape3
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    pool: Pool | None
    neuron: Neuron
    sources: tuple[int, ...]
    input_kind: Literal["analog", "binary"]
    bias: bool

    @property
    def pooled_shape(self) -> Shape3:
        """Shape (K, E, F) that the next layer sees, after pooling."""
        channels, height, width = self.out_shape
        if self.pool is None:
            return self.out_shape
        size, stride = self.pool.size, self.pool.stride
        return (channels, (height - size) // stride + 1, (width - size) // stride + 1)


@dataclass(frozen=True, eq=False)
class Recording:
    """Which elements of one training iteration's tensors are non-zero.

    ``inputs`` is [B, C, H, W] (non-zero pixels) with direct coding, else [T, B, C, H, W].
    ``spikes`` (S), ``masks`` (surrogate derivative != 0) and ``gradients`` (dL/dI at the
    neuron's input current != 0) hold one [T, B, K, E, F] array per layer, before pooling.
    """

    iteration: int
    inputs: BoolArray
    spikes: tuple[BoolArray, ...]
    masks: tuple[BoolArray, ...]
    gradients: tuple[BoolArray, ...]


@dataclass(frozen=True)
class Workload:
    """A recorded training job; its tensors are read by :meth:`load`.

    ``steps`` is T, ``batch`` B, ``accuracy`` the test accuracy reached (0..1), ``iterations``
    the training iterations recorded and ``sha256`` the digest of the whole file.
    """

    path: Path
    name: str
    layers: tuple[Layer, ...]
    steps: int
    batch: int
    dataset: str
    licence: str
    accuracy: float
    optimizer: Literal["adam", "sgd"]
    encoding: Literal["direct", "rate", "events"]
    iterations: tuple[int, ...]
    provenance: dict[str, str]
    sha256: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a recording's ``inputs``: [B, C, H, W] with direct coding, else [T, ...]."""
        sample = (self.batch, *self.layers[0].in_shape)
        return sample if self.encoding == "direct" else (self.steps, *sample)

    def neuron_shape(self, layer: Layer) -> tuple[int, ...]:
        """Shape [T, B, K, E, F] of a layer's spikes, masks and gradients."""
        return (self.steps, self.batch, *layer.out_shape)

    def load(self, which: int) -> Recording:
        """Read the recording at position ``which`` of ``iterations``.

        Raises WorkloadError if there is no such position, or if the file was damaged or changed.
        """
        from tlm.workload.reader import read_recording

        return read_recording(self, which)
