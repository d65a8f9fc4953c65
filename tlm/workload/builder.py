"""Short words to write a layer graph with, when there is no network to record it from."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tlm.workload.input_kind import input_kind
from tlm.workload.model import (
    NETWORK_INPUT,
    InputKind,
    Layer,
    Neuron,
    Norm,
    Pool,
    Shape3,
)


class Builder:
    """Collects layers in order; shapes, input kinds and indices follow from what was added.

    ``neuron`` and ``norm`` are those of every layer that does not say otherwise, ``in_shape``
    (C, H, W) is the network's input, ``analog`` whether it is directly coded.
    """

    def __init__(
        self, in_shape: Shape3, neuron: Neuron, norm: Norm | None = None, analog: bool = True
    ) -> None:
        self.layers: list[Layer] = []
        self._in_shape = in_shape
        self._neuron = neuron
        self._norm = norm
        self._analog = analog

    @property
    def last(self) -> int:
        """Index of the layer added last; -1, the network's input, before the first."""
        return len(self.layers) - 1

    # Public and called by keyword: every argument is one property of the layer.
    def conv(
        self,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        pool: Pool | None = None,
        sources: Sequence[int] | None = None,
        groups: int = 1,
        dilation: int = 1,
    ) -> int:
        """Add a square convolution reading ``sources`` (the last layer by default)."""
        read = self._sources(sources)
        in_shape = self._shape(read)
        reach = 2 * padding - dilation * (kernel - 1) - 1
        height, width = ((size + reach) // stride + 1 for size in in_shape[1:])
        layer = Layer(
            index=len(self.layers),
            name=f"conv{len(self.layers)}",
            kind="conv",
            in_shape=in_shape,
            out_shape=(channels, height, width),
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding, padding),
            sources=read,
            input_pool=None,
            input_kind=self._input_kind(read, None),
            bias=False,
            norm=self._norm,
            current_pool=None,
            neuron=self._neuron,
            pool=pool,
            groups=groups,
            dilation=(dilation, dilation),
        )
        self.layers.append(layer)
        return layer.index

    def linear(
        self,
        channels: int,
        sources: Sequence[int] | None = None,
        input_pool: Pool | None = None,
        readout: bool = False,
    ) -> int:
        """Add a linear layer on its flattened input; a read-out has a bias and no neurons."""
        read = self._sources(sources)
        in_shape = self._shape(read)
        if input_pool is not None:
            in_shape = input_pool.pooled(in_shape)
        layer = Layer(
            index=len(self.layers),
            name=f"fc{len(self.layers)}",
            kind="linear",
            in_shape=(prod(in_shape), 1, 1),
            out_shape=(channels, 1, 1),
            kernel=(1, 1),
            stride=(1, 1),
            padding=(0, 0),
            sources=read,
            input_pool=input_pool,
            input_kind=self._input_kind(read, input_pool),
            bias=readout,
            norm=None,
            current_pool=None,
            neuron=None if readout else self._neuron,
            pool=None,
        )
        self.layers.append(layer)
        return layer.index

    def _sources(self, sources: Sequence[int] | None) -> tuple[int, ...]:
        return (self.last,) if sources is None else tuple(sorted(sources))

    def _shape(self, sources: tuple[int, ...]) -> Shape3:
        if sources == (NETWORK_INPUT,):
            return self._in_shape
        return self.layers[sources[0]].pooled_shape

    def _input_kind(self, sources: tuple[int, ...], input_pool: Pool | None) -> InputKind:
        pools = [self.layers[source].pool for source in sources if source != NETWORK_INPUT]
        return input_kind(sources, [*pools, input_pool], "analog" if self._analog else "binary")
