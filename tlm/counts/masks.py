"""Which elements are non-zero between two layers: pooled spikes, sums of sources, needed dS.

Everything follows from a recording and is made when it is asked for: of a large network only the
inputs of a layer or two are alive at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from tlm.counts.ways import Element, any_of_windows, edges, spread, taps, together, windowed
from tlm.space.array_types import Bools, Cells, Ints
from tlm.workload.input_kind import network_input_kind
from tlm.workload.model import NETWORK_INPUT, Layer, Neuron, Pool, Recording, Workload
from tlm.workload.operand import Factor, Step, Term, Window
from tlm.workload.readers import adds_output, shortcuts_from

Whole = npt.NDArray[np.unsignedinteger[Any]]


class Masks:
    """The masks of one iteration, by layer index, as the engines see them.

    ``sparse_norm`` says that batch normalisation keeps the zeros of dL/dI (frozen or folded
    statistics) instead of spreading every gradient over its channel. With ``keep``, for schedules
    that come back to a layer, all layers' arrays stay alive.
    """

    def __init__(
        self, workload: Workload, recording: Recording, sparse_norm: bool, keep: bool = False
    ) -> None:
        self._workload, self.recording = workload, recording
        self._layers = workload.layers
        self._sparse_norm = sparse_norm
        # By layer: outputs are read by a few later layers, inputs by their layer alone.
        inputs_kept = None if keep else 1
        outputs_kept = None if keep else 3
        self.current_gradient = lru_cache(maxsize=None)(self._current_gradient)
        self.output = lru_cache(maxsize=outputs_kept)(self._output)
        self.need = lru_cache(maxsize=outputs_kept)(self._need)
        self.inputs = lru_cache(maxsize=inputs_kept)(self._inputs)
        self.input_need = lru_cache(maxsize=inputs_kept)(self._input_need)
        self.needed_by_row = lru_cache(maxsize=None)(self._needed_by_row)
        self.largest_sum = lru_cache(maxsize=None)(self._largest_sum)
        self.input_count = lru_cache(maxsize=None)(self._input_count)

    def drop(self) -> None:
        """Forget the arrays made so far; they are made again when they are asked for."""
        for kept in (
            self.current_gradient, self.output, self.need, self.inputs, self.input_need,
            self.needed_by_row,
        ):  # fmt: skip
            kept.cache_clear()

    def weights(self, index: int) -> Bools | None:
        """Weights of a layer that are not zero, [K, C / groups, R, S]; None if all."""
        return None if self.recording.weights is None else self.recording.weights[index]

    def has_m(self, index: int) -> bool:
        """Whether m of a layer says anything: a surrogate of unbounded support sets each of them,
        but for those that its format rounds to zero; a job for inference has none.
        """
        layer, masks = self._layers[index], self.recording.masks
        neuron = layer.neuron
        return (
            isinstance(neuron, Neuron)
            and layer.spiking
            and bool(masks)
            and (neuron.compact or not masks[index].all())
        )

    def dY(self, index: int) -> Bools:
        """dL/dY != 0 at the product, what BP and WG consume, [T, B, *product_shape]."""
        layer = self._layers[index]
        if layer.norm is None or not self._sparse_norm:
            return self.recording.dY[index]
        return self._sum_gradient(index)

    def _sum_gradient(self, index: int) -> Bools:
        """dL/dI != 0 in front of ``current_pool``, at the sum with shortcuts: of all its window."""
        layer, dI = self._layers[index], self.current_gradient(index)
        pool = layer.current_pool
        return dI if pool is None else spread(pool, dI, layer.product_shape)

    def _current_gradient(self, index: int) -> Bools:
        """dL/dI != 0 in all, [T, B, *out_shape], where the zeros of all gradients are kept.

        That of the neurons, and what later layers return that have added the current.
        """
        layer, dI = self._layers[index], self.recording.dU[index]
        if layer.product_is_current:
            return self.recording.dY[index]
        for reader, shortcut in shortcuts_from(index, self._layers):
            if not adds_output(shortcut, self._layers):
                returned, pool = self._sum_gradient(reader.index), shortcut.pool
                dI = dI | (returned if pool is None else spread(pool, returned, layer.out_shape))
        return dI

    def _output(self, index: int) -> Bools:
        """What later layers read of a layer, [T, B, *pooled_shape]."""
        spikes, pool = self.recording.spikes[index], self._layers[index].pool
        return spikes if pool is None else _any(pool, spikes)

    def _need(self, index: int) -> Bools:
        """Which dS of a layer's output BP must compute, [T, B, *pooled_shape]."""
        masks, layer = self.recording.masks[index], self._layers[index]
        if layer.pool is None:
            return masks
        return needed(layer.pool, self.recording.spikes[index], masks)

    def _needed_by_row(self, index: int) -> Ints:
        """How many dS of a layer's output BP must compute, over all steps and columns.

        Sums up to every channel and row, [B, K + 1, E + 1]: many slices are counted of them.
        """
        need = self.need(index).view(np.uint8)
        by_row = need.sum(axis=0, dtype=np.uint16).sum(axis=3, dtype=np.int64)
        sums = np.zeros((len(by_row), by_row.shape[1] + 1, by_row.shape[2] + 1), np.int64)
        np.cumsum(np.cumsum(by_row, axis=1), axis=2, out=sums[:, 1:, 1:])
        return sums

    def _input_count(self, index: int) -> int:
        """How many inputs of a layer's product are not zero."""
        if not self._layers[index].multiplies:
            return 0
        return int(np.count_nonzero(self.inputs(index)))

    def _inputs(self, index: int) -> Bools:
        """Non-zero inputs of a layer, [T, B, *in_shape]."""
        layer = self._layers[index]
        if layer.operand is not None:
            total = together(layer.operand, self._term_outputs, np.bitwise_or)
        else:
            total = _union([self._left(source) for source in dict.fromkeys(layer.sources)])
        if layer.input_pool is not None:
            total = _any(layer.input_pool, total)
        return self._kept(layer, _fitted(layer, total))

    def _left(self, source: int) -> Bools:
        """What a source leaves for its readers, [T, B, C, H, W]."""
        if source != NETWORK_INPUT:
            return self.output(source)
        inputs = self.recording.inputs
        if self._workload.encoding == "direct":
            inputs = np.broadcast_to(inputs, (self._workload.steps, *inputs.shape))
        return inputs

    def _term_outputs(self, term: Term) -> Bools:
        return reduce(np.bitwise_and, map(self._passing, term.factors))

    def _passing(self, factor: Factor) -> Bools:
        """Where a factor is not zero."""
        values = _delayed(self._left(factor.source), factor.delay)
        for step in factor.way:
            values = _through(step, values, _any)
        return ~values if factor.inverted else values

    def _input_need(self, index: int) -> Bools:
        """Which dX of a layer are needed: those that any of its sources needs, [T, B, *in_shape].

        Through ``input_pool``: average-pooling needs what any neuron of the window needs,
        max-pooling what the winner needs.
        """
        layer = self._layers[index]
        return self._needs(layer, dict.fromkeys(layer.sources))

    def source_need(self, layer: Layer, source: int) -> Bools:
        """Which dX of a layer one of its sources needs, [T, B, *in_shape]."""
        return self._needs(layer, [source])

    def _needs(self, layer: Layer, sources: Iterable[int]) -> Bools:
        if layer.operand is not None:
            of = partial(self._term_need, list(sources))
            need = together(layer.operand, of, np.bitwise_or)
        else:
            need = _union([self.need(source) for source in sources])
        if layer.input_pool is not None:
            need = needed(layer.input_pool, self.summed(layer), need)
        return self._kept(layer, _fitted(layer, need))

    def _kept(self, layer: Layer, elements: Bools) -> Bools:
        """What a dropout keeps of ``elements`` of a layer's input."""
        return elements & self.recording.kept[layer.index] if layer.dropout else elements

    def _term_need(self, sources: Sequence[int], term: Term) -> Bools:
        """Which dX of a term its sources need, those among ``sources``.

        Of a product each needs them where all other factors let them pass.
        """
        needs = []
        for at, factor in enumerate(term.factors):
            others = (*term.factors[:at], *term.factors[at + 1 :])
            need = self._factor_need(sources, factor)
            needs.append(reduce(np.bitwise_and, map(self._passing, others), need))
        return _union(needs)

    def _factor_need(self, sources: Sequence[int], factor: Factor) -> Bools:
        """Which gradients a factor's source needs, if it is among ``sources``; the input none."""
        some = factor.source in sources and factor.source != NETWORK_INPUT
        need = self.need(factor.source) if some else np.zeros_like(self._left(factor.source))
        need = _delayed(need, factor.delay)
        values = _delayed(self._whole(factor.source), factor.delay)
        for step in factor.way:
            if isinstance(step, Pool):
                need = needed(step, values, need)
            elif isinstance(step, Window):
                need = windowed(step, need)
            values = _through(step, values, _pooled)
        return need

    def summed(self, layer: Layer) -> Whole:
        """The sum of a layer's sources as whole numbers, before ``input_pool``.

        Average-pooled spikes count as the spikes of the window, their scale being in the weights.
        """
        if layer.operand is not None:
            return together(layer.operand, self._term_values, np.add)
        return reduce(np.add, [self._whole(source) for source in layer.sources])

    def _whole(self, source: int) -> Whole:
        """What a source leaves as whole numbers."""
        pool = self._layers[source].pool if source != NETWORK_INPUT else None
        if pool is not None and pool.kind != "max":
            return _window_sums(pool, self.recording.spikes[source])
        return self._left(source).view(np.uint8)

    def _term_values(self, term: Term) -> Whole:
        return reduce(np.multiply, map(self._factor_values, term.factors))

    def _factor_values(self, factor: Factor) -> Whole:
        values = _delayed(self._whole(factor.source), factor.delay)
        for step in factor.way:
            values = _through(step, values, _pooled)
        return 1 - values if factor.inverted else values

    def operand_bits(self, layer: Layer, analog_bits: int) -> int:
        """Width of a layer's input operands: 1 for spikes, else by the largest recorded sum.

        Outputs of layers without neurons are values of ``analog_bits``, as analog pixels are.
        """
        if layer.input_kind == "binary":
            return 1
        read = [self._layers[source] for source in layer.sources if source != NETWORK_INPUT]
        if any(source.neuron is None for source in read):
            return analog_bits
        network = network_input_kind(self._layers, self._workload.encoding)
        if NETWORK_INPUT in layer.sources and network != "binary":
            return analog_bits
        return max(1, self.largest_sum(layer.index).bit_length())

    def _largest_sum(self, index: int) -> int:
        """The largest input of a layer that sums its sources."""
        layer = self._layers[index]
        total = self.summed(layer)
        if layer.input_pool is not None and layer.input_pool.kind != "max":
            total = _window_sums(layer.input_pool, total)
        return int(total.max())


def _delayed(values: npt.NDArray[Element], delay: int) -> npt.NDArray[Element]:
    """``values`` [T, ...] of ``delay`` steps before; zeros where none were."""
    if not delay:
        return values
    late = np.zeros_like(values)
    late[delay:] = values[:-delay]
    return late


def _through(
    step: Step,
    values: npt.NDArray[Element],
    pooled: Callable[[Pool, npt.NDArray[Element]], npt.NDArray[Element]],
) -> npt.NDArray[Element]:
    """What comes of ``values`` through a window, or by ``pooled`` through a pool."""
    if isinstance(step, Window):
        return windowed(step, values)
    assert isinstance(step, Pool)
    return pooled(step, values)


def needed(pool: Pool, values: npt.NDArray[np.generic], need: Bools) -> Bools:
    """Which pooled gradients are needed, by what the pool sends them back to.

    Max-pooling sends its gradient to the first maximum in scan order: of spikes the first that
    fired, or the first neuron of the window if none did (never the padding).
    """
    if pool.kind != "max":
        return _any(pool, need)
    return _step_by_step(partial(_winners_need, pool), values, need)


def _step_by_step(pooled: Callable[..., Bools], *tensors: npt.NDArray[np.generic]) -> Bools:
    """What ``pooled`` makes of each step of tensors [T, ...], put together.

    A step stays nearer to the processor than all of them, and its memory is used again.
    """
    first = pooled(*(tensor[0] for tensor in tensors))
    every = np.empty((len(tensors[0]), *first.shape), np.bool_)
    every[0] = first
    for step in range(1, len(every)):
        every[step] = pooled(*(tensor[step] for tensor in tensors))
    return every


def _winners_need(pool: Pool, values: npt.NDArray[np.generic], need: Bools) -> Bools:
    """What the first maximum of each window needs."""
    places = pool.places
    kind = np.uint8 if values.dtype == np.bool_ and 6 * places <= 256 else np.uint32
    # The first maximum has the largest key: its value, then how early it is, then what it needs.
    keys: Cells = values.astype(kind)
    keys *= kind(2 * places)
    keys += need
    if any(map(any, edges(pool))):
        keys += kind(2 * places)  # above the padding, which is zero
    late = range(2 * places - 2, -1, -2)
    winner, *others = (tap + kind(key) for tap, key in zip(taps(pool, keys), late, strict=True))
    for other in others:
        np.maximum(winner, other, out=winner)
    return np.asarray(np.bitwise_and(winner, kind(1)), np.bool_)


def _any(pool: Pool, values: Bools) -> Bools:
    return _step_by_step(partial(any_of_windows, pool), values)


def _pooled(pool: Pool, values: Whole) -> Whole:
    """Whole numbers behind a pool: the largest of each window, or their sum."""
    if pool.kind != "max":
        return _window_sums(pool, values)
    return reduce(np.maximum, taps(pool, values))


def _window_sums(pool: Pool, values: npt.NDArray[np.generic]) -> Whole:
    return reduce(np.add, taps(pool, values.astype(np.uint16)))


def _union(masks: list[Bools]) -> Bools:
    return reduce(np.bitwise_or, masks)


def _fitted(layer: Layer, values: Bools) -> Bools:
    """Shape [T, B, C, H, W] into what ``layer`` takes as input: a linear layer flattens.

    Some matmuls turn it round: positions become channels in each group.
    """
    if layer.turned:
        steps, batch, channels = values.shape[:3]
        groups = values.reshape(steps, batch, layer.groups, channels // layer.groups, -1)
        values = groups.swapaxes(-1, -2)
    return values.reshape(*values.shape[:2], *layer.in_shape)
