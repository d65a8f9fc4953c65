"""Which inputs of a layer are non-zero, which dX are needed, which dY are non-zero.

Everything follows from the recording. Pools are walked window element by window element, which is
not the way of :mod:`tlm.counts.masks`: the laws count useful operations by these masks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tlm.laws.due.operands import Branch, as_input, branches, operand_shape, places
from tlm.space.array_types import Bools
from tlm.workload.input_kind import network_input_kind
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Recording, Shape3, Workload
from tlm.workload.operand import Step

Value = TypeVar("Value", bound=np.generic)
Counts = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class PooledMasks:
    """The masks of a recording behind the pool of every layer, each made once."""

    workload: Workload
    recording: Recording
    _made: dict[tuple[str, int], Bools] = field(default_factory=dict, repr=False, compare=False)

    def branches(self, layer: Layer) -> list[Branch]:
        """All that a layer reads."""
        return branches(layer, self.workload.layers)

    def left(self, source: int) -> Bools:
        """Non-zero elements of what a source leaves, [T, B, C, H, W]."""
        if source != NETWORK_INPUT:
            return self.spikes(self.workload.layers[source])
        inputs = self.recording.inputs
        if self.workload.encoding == "direct":  # all steps see one image
            inputs = np.broadcast_to(inputs, (self.workload.steps, *inputs.shape))
        return inputs

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
        if layer.operand is not None:
            return self._put_together(layer, self._multiplied, np.add)
        kind = np.dtype(np.min_scalar_type(sum(map(self._most, layer.sources))))
        sums = np.zeros(self.left(layer.sources[0]).shape, kind)
        for source in layer.sources:
            sums += self._counts(source, kind)
        return sums

    def inputs(self, layer: Layer) -> Bools:
        """Non-zero elements of what a layer reads, before ``input_pool``."""
        if layer.operand is None:
            return _any(map(self.left, layer.sources))

        def comes(term: Sequence[Branch]) -> Bools:
            return np.asarray(self._multiplied(term) != 0)

        return np.asarray(self._put_together(layer, comes, np.logical_or), np.bool_)

    def needs(self, layer: Layer, sources: Collection[int]) -> Bools:
        """Which elements of what a layer reads, before ``input_pool``, any of ``sources`` needs."""
        if layer.operand is None:
            return _any(self.need(self.workload.layers[source]) for source in sources)

        def asked(term: Sequence[Branch]) -> Bools:
            total = np.zeros((*self.left(term[0].source).shape[:2], *term[0].behind), np.bool_)
            for branch in term:
                need, others = of_factor(branch), [each for each in term if each is not branch]
                total |= need & (self._multiplied(others) != 0) if others else need
            return total

        def of_factor(branch: Branch) -> Bools:
            if branch.source not in sources or branch.source == NETWORK_INPUT:
                return np.zeros((*self.left(branch.source).shape[:2], *branch.behind), np.bool_)
            need = _steps_later(self.need(self.workload.layers[branch.source]), branch.delay)
            for step, values in zip(branch.way, self._on_the_way(branch), strict=False):
                if isinstance(step, Pool):
                    need = _pooled_flags(step, values, need)
                else:
                    need = _seen(step, need)
            return need

        return np.asarray(self._put_together(layer, asked, np.logical_or), np.bool_)

    def _put_together(
        self, layer: Layer, of: Callable[[Sequence[Branch]], Counts | Bools], join: np.ufunc
    ) -> Counts:
        """Every term's values where it stands in the operand, joined; zeros elsewhere."""
        total: Counts | None = None
        shape = operand_shape(layer, self.workload.layers)
        for _, group in groupby(self.branches(layer), key=lambda branch: branch.term):
            term = list(group)
            values = of(term)
            if total is None:
                kind = np.bool_ if join is np.logical_or else np.int32
                total = np.zeros((*values.shape[:2], *shape), kind)
            some = total[:, :, term[0].first : term[0].end]
            join(some, values, out=some)
        assert total is not None
        return total

    def _multiplied(self, term: Sequence[Branch]) -> Counts:
        """Whole numbers of what the branches of a term leave, multiplied; of spikes 1 minus."""
        product: Counts | None = None
        for branch in term:
            values = self._on_the_way(branch)[-1]
            values = np.where(values == 0, 1, 0) if branch.inverted else values
            product = values if product is None else product * values
        assert product is not None
        return product

    def _on_the_way(self, branch: Branch) -> list[Counts]:
        """What a branch's source leaves as whole numbers, and what each step makes of it."""
        values: list[Counts] = [self._counts(branch.source, np.dtype(np.int32)).astype(np.int32)]
        values[0] = _steps_later(values[0], branch.delay)
        for step in branch.way:
            before = values[-1]
            if isinstance(step, Pool):
                gather = np.maximum if step.kind == "max" else np.add
                values.append(reduce(gather, _taps(step, before, 0)))
            else:
                values.append(_seen(step, before))
        return values

    def _most(self, source: int) -> int:
        """The largest whole number that a source leaves."""
        pool = self.workload.layers[source].pool if source != NETWORK_INPUT else None
        return pool.places if pool is not None and pool.kind != "max" else 1

    def _counts(self, source: int, kind: np.dtype[Any]) -> Counts | Bools:
        """What a source leaves as whole numbers: of an average the spikes of its window."""
        pool = self.workload.layers[source].pool if source != NETWORK_INPUT else None
        if pool is None or pool.kind == "max":
            return self.left(source)
        return reduce(np.add, _taps(pool, self.recording.spikes[source].astype(kind), 0))

    def _once(self, kind: str, layer: Layer, make: Callable[[Layer, Recording], Bools]) -> Bools:
        if layer.pool is None:  # the recording's own
            return make(layer, self.recording)
        key = kind, layer.index
        if key not in self._made:
            self._made[key] = make(layer, self.recording)
        return self._made[key]


def layer_inputs(masks: PooledMasks, layer: Layer) -> Bools:
    """Non-zero inputs of a layer, [T, B, *in_shape]."""
    spikes = masks.inputs(layer)
    if layer.input_pool is not None:
        spikes = _any(_taps(layer.input_pool, spikes, 0))
    return _undropped(masks, layer, as_input(layer, spikes))


def input_needs(masks: PooledMasks, layer: Layer) -> Bools:
    """Which dX BP of a layer must compute, [T, B, *in_shape]: those that any source needs."""
    return source_need(masks, layer, layer.sources)


def input_bits(masks: PooledMasks, layer: Layer, analog_bits: int) -> int:
    """Width of a layer's inputs: 1 for spikes, else what the largest recorded sum needs.

    Pixels, and outputs of layers without neurons, are values of ``analog_bits``.
    """
    workload = masks.workload
    if layer.input_kind == "binary":
        return 1
    pixels = network_input_kind(workload.layers, workload.encoding) != "binary"
    values = [workload.layers[at].neuron is None if at >= 0 else pixels for at in layer.sources]
    if any(values):
        return analog_bits
    sums = masks.sums(layer)
    if layer.input_pool is not None and layer.input_pool.kind != "max":
        sums = reduce(np.add, _taps(layer.input_pool, sums.astype(np.int32), 0))
    return max(1, int(sums.max()).bit_length())


def source_need(masks: PooledMasks, layer: Layer, sources: Collection[int]) -> Bools:
    """Which dX of a layer some of its sources need, [T, B, *in_shape]."""
    need = masks.needs(layer, sources)
    if layer.input_pool is not None:
        need = _pooled_flags(layer.input_pool, masks.sums(layer), need)
    return _undropped(masks, layer, as_input(layer, need))


def _undropped(masks: PooledMasks, layer: Layer, flags: Bools) -> Bools:
    """``flags`` of a layer's inputs, false where its dropout lets nothing pass."""
    kept = masks.recording.kept.get(layer.index)
    return flags if kept is None else np.where(kept, flags, False)


def _seen(step: Step, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """``values`` [T, B, C, H, W] through a window, looked up place by place."""
    (table,) = places(step, (values.shape[2], values.shape[3], values.shape[4]))
    flat = values.reshape(*values.shape[:2], -1)
    return np.where(table >= 0, flat[:, :, table], values.dtype.type(0))


def _steps_later(values: npt.NDArray[Value], steps: int) -> npt.NDArray[Value]:
    """``values`` [T, ...] as they are seen some steps later: the last are not, zeros come first."""
    seen = len(values) - min(steps, len(values))
    return np.concatenate([np.zeros_like(values[seen:]), values[:seen]])


def product_gradients(
    layers: Sequence[Layer], layer: Layer, recording: Recording, exact: bool
) -> Bools:
    """dY != 0 of a layer, [T, B, *product_shape].

    Batch statistics (``exact``) spread every gradient over its channel, as recorded. Frozen and
    folded statistics keep the zeros of dI; ``current_pool`` then sends each to its whole window.
    """
    if layer.norm is None or exact:
        return recording.dY[layer.index]
    return _sum_gradients(layers, layer, recording)


def _sum_gradients(layers: Sequence[Layer], layer: Layer, recording: Recording) -> Bools:
    """dL/dI != 0 where shortcuts are added, in front of ``current_pool``."""
    gradients = _current_gradients(layers, layer, recording)
    return _unpooled(layer.current_pool, gradients, layer.product_shape)


def _current_gradients(layers: Sequence[Layer], layer: Layer, recording: Recording) -> Bools:
    """dI != 0 of a layer: of its neurons, and what all return that have added its current."""
    if layer.norm is None and layer.current_pool is None:
        return recording.dY[layer.index]
    returned = [
        _unpooled(each.pool, _sum_gradients(layers, reader, recording), layer.out_shape)
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
