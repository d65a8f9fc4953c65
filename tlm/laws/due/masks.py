"""Which inputs of a layer are non-zero, which dX are needed, which dY are non-zero.

Everything follows from the recording. Pools are walked window element by window element, which is
not the way of :mod:`tlm.counts.masks`: the laws count useful operations by these masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tlm.space.array_types import Bools
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Recording, Shape3, Workload

Value = TypeVar("Value", bound=np.generic)
Counts = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class PooledMasks:
    """The masks of a recording behind the pool of every layer, each made once."""

    workload: Workload
    recording: Recording
    _made: dict[tuple[str, int], Bools] = field(default_factory=dict, repr=False, compare=False)

    def sources(self, layer: Layer) -> list[Layer]:
        """The layers that one reads."""
        return [self.workload.layers[source] for source in layer.sources]

    def spikes(self, layer: Layer) -> Bools:
        """As :func:`pooled_spikes`."""
        return self._once("spikes", layer, pooled_spikes)

    def need(self, layer: Layer) -> Bools:
        """As :func:`pooled_need`."""
        return self._once("need", layer, pooled_need)

    def sums(self, layer: Layer) -> Counts:
        """What a layer reads as whole numbers, [T, B, C, H, W], before ``input_pool``.

        An average counts as the spikes of its window.
        """
        sources = self.sources(layer)
        windows = [
            source.pool.places if source.pool is not None and source.pool.kind != "max" else 1
            for source in sources
        ]
        kind = np.min_scalar_type(sum(windows))
        sums = np.zeros(self.spikes(sources[0]).shape, kind)
        for source, window in zip(sources, windows, strict=True):
            outputs = self.spikes(source)
            if window > 1:
                assert source.pool is not None
                spikes = self.recording.spikes[source.index].astype(kind)
                outputs = reduce(np.add, _taps(source.pool, spikes, 0))
            sums += outputs
        return sums

    def _once(self, kind: str, layer: Layer, make: Callable[[Layer, Recording], Bools]) -> Bools:
        key = kind, layer.index
        if key not in self._made:
            self._made[key] = make(layer, self.recording)
        return self._made[key]


def layer_inputs(masks: PooledMasks, layer: Layer) -> Bools:
    """Non-zero inputs of a layer, [T, B, *in_shape]."""
    if layer.sources == (NETWORK_INPUT,):
        inputs = masks.recording.inputs
        if masks.workload.encoding == "direct":  # all steps see one image
            inputs = np.broadcast_to(inputs, (masks.workload.steps, *inputs.shape))
        return inputs.reshape(*inputs.shape[:2], *layer.in_shape)
    spikes = _any(masks.spikes(source) for source in masks.sources(layer))
    if layer.input_pool is not None:
        spikes = _any(_taps(layer.input_pool, spikes, 0))
    return spikes.reshape(*spikes.shape[:2], *layer.in_shape)


def input_needs(masks: PooledMasks, layer: Layer) -> Bools:
    """Which dX BP of a layer must compute, [T, B, *in_shape]: those that any source needs."""
    need = _any(masks.need(source) for source in masks.sources(layer))
    if layer.input_pool is not None:
        need = _pooled_flags(layer.input_pool, masks.sums(layer), need)
    return need.reshape(*need.shape[:2], *layer.in_shape)


def input_bits(masks: PooledMasks, layer: Layer, analog_bits: int) -> int:
    """Width of a layer's inputs: 1 for spikes, else what the largest recorded sum needs.

    Pixels, and outputs of layers without neurons, are values of ``analog_bits``.
    """
    if layer.input_kind == "binary":
        return 1
    sources = [masks.workload.layers[source] for source in layer.sources if source != NETWORK_INPUT]
    if not sources or any(source.neuron is None for source in sources):
        return analog_bits
    sums = masks.sums(layer)
    if layer.input_pool is not None and layer.input_pool.kind != "max":
        sums = reduce(np.add, _taps(layer.input_pool, sums.astype(np.int32), 0))
    return max(1, int(sums.max()).bit_length())


def source_need(masks: PooledMasks, layer: Layer, source: int) -> Bools:
    """Which dX of a layer one of its sources needs, [T, B, C, H, W] behind ``input_pool``."""
    need = masks.need(masks.workload.layers[source])
    if layer.input_pool is None:
        return need
    return _pooled_flags(layer.input_pool, masks.sums(layer), need)


def product_gradients(
    layers: Sequence[Layer], layer: Layer, recording: Recording, exact: bool
) -> Bools:
    """dY != 0 of a layer, [T, B, *product_shape].

    Batch statistics (``exact``) spread every gradient over its channel, as recorded. Frozen and
    folded statistics keep the zeros of dI; ``current_pool`` then sends each to its whole window.
    """
    if layer.norm is None or exact:
        return recording.dY[layer.index]
    return _unpooled(
        layer.current_pool, _current_gradients(layers, layer, recording), layer.product_shape
    )


def _current_gradients(layers: Sequence[Layer], layer: Layer, recording: Recording) -> Bools:
    """dI != 0 of a layer: of its neurons, and what all return that have added its current."""
    if layer.norm is None and layer.current_pool is None:
        return recording.dY[layer.index]
    returned = [
        _unpooled(each.pool, _current_gradients(layers, reader, recording), layer.out_shape)
        for reader in layers
        for each in reader.shortcuts
        if each.layer == layer.index and each.of == "current" and layer.neuron is not None
    ]
    return _any([recording.dU[layer.index], *returned])


def _unpooled(pool: Pool | None, gradients: Bools, shape: Shape3) -> Bools:
    """Which of what is pooled gets any gradient, [T, B, *shape], where each goes to its window."""
    if pool is None:
        return gradients
    rows, columns = (
        _windows_over(pool, axis, shape[1 + axis], gradients.shape[3 + axis]) for axis in (0, 1)
    )
    return np.asarray(rows @ gradients.astype(np.float32) @ columns.T > 0)


def _windows_over(pool: Pool, axis: int, side: int, count: int) -> npt.NDArray[np.float32]:
    """[side, count]: 1 where an element of what is pooled lies in a window, of rows or columns."""
    first = np.arange(count) * pool.stride[axis] - pool.padding[axis]
    offset = np.arange(side)[:, None] - first
    return ((offset >= 0) & (offset < pool.size[axis])).astype(np.float32)


def _any(masks: Iterable[Bools]) -> Bools:
    return reduce(np.logical_or, masks)


def pooled_spikes(layer: Layer, recording: Recording) -> Bools:
    """Non-zero outputs of a layer, [T, B, *pooled_shape]; of both kinds of pools where any is."""
    spikes = recording.spikes[layer.index]
    return spikes if layer.pool is None else _any(_taps(layer.pool, spikes, 0))


def pooled_need(layer: Layer, recording: Recording) -> Bools:
    """Which dS of a layer's outputs are needed, [T, B, *pooled_shape]."""
    masks = recording.masks[layer.index]
    if layer.pool is None:
        return masks
    return _pooled_flags(layer.pool, recording.spikes[layer.index], masks)


def _pooled_flags(pool: Pool, values: Bools | Counts, flags: Bools) -> Bools:
    """For each window, the flag of its first largest value; of any, if the pool averages."""
    if pool.kind != "max":
        return _any(_taps(pool, flags, 0))
    kind = np.int8 if values.dtype == np.bool_ else np.int32
    chosen = np.zeros((*values.shape[:3], *_pooled_sides(pool, values.shape)), np.bool_)
    largest = np.empty(chosen.shape[1:], kind)[None]
    # One step at a time: the memory of all of them would be new each time, and far away.
    for step, (ranks, some) in enumerate(zip(values, flags, strict=True)):
        largest.fill(-1)
        best = chosen[step : step + 1]
        places = zip(
            _taps(pool, ranks[None].astype(kind), -1), _taps(pool, some[None], 0), strict=True
        )
        # -1, which stands outside, is below all values: padding is never the largest.
        for value, flag in places:
            better = value > largest
            np.maximum(largest, value, out=largest)
            best ^= (best ^ flag) & better
    return chosen


def _pooled_sides(pool: Pool, shape: tuple[int, ...]) -> tuple[int, int]:
    _, height, width = pool.pooled((shape[2], shape[3], shape[4]))
    return height, width


def _taps(pool: Pool, values: npt.NDArray[Value], outside: int) -> Iterator[npt.NDArray[Value]]:
    """The values at each place of all windows, [T, B, K, E', F'], place by place in scan order."""
    (down, across), (height, width) = pool.stride, _pooled_sides(pool, values.shape)
    spans = [(height - 1) * down + 1, (width - 1) * across + 1]
    edges = [(0, 0)] * 3 + [
        (before, max(0, span + size - 1 - before - side))
        for before, span, size, side in zip(
            pool.padding, spans, pool.size, values.shape[3:], strict=True
        )
    ]
    padded = np.pad(values, edges, constant_values=outside)
    # A stride's columns lie side by side then, which makes whatever is done with them 3 x as fast.
    apart = [np.ascontiguousarray(padded[..., x::across]) for x in range(across)]
    for y, x in np.ndindex(pool.size):
        first = x // across
        columns = apart[x % across][..., first : first + width]
        yield columns[..., y : y + spans[0] : down, :]
