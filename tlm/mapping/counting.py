"""Counts of one layer by the engines' skip policies, made when asked for and dropped after use."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tlm.config.core import Engines
from tlm.mapping.counts import (
    Bools,
    FpCounts,
    Ints,
    PairCounts,
    bp_counts,
    bp_touched,
    fp_counts,
    wg_counts,
)
from tlm.mapping.masks import Masks
from tlm.mapping.nest import Array
from tlm.mapping.region import Span
from tlm.workload.model import Layer


class LayerCounts:
    """Slots and operations of one layer; each engine's are computed on first use.

    ``live`` [T, B] is false where the whole dY is zero and the slice is skipped.
    """

    def __init__(
        self, layer: Layer, masks: Masks, live: Bools, engines: Engines, array: Array
    ) -> None:
        self._layer, self._masks, self._live = layer, masks, live
        self._engines, self._array = engines, array

    @cached_property
    def fp(self) -> FpCounts:
        """FP's counts."""
        inputs = self._masks.inputs(self._layer.index)
        real = fp_counts(self._layer, inputs, self._array.chunk)
        if self._engines.fp.skip_spikes:
            return real
        seen = fp_counts(self._layer, np.ones_like(inputs), self._array.chunk)
        return FpCounts(seen.executed, real.events, seen.touched)

    @cached_property
    def bp(self) -> PairCounts:
        """BP's counts."""
        layer, array, engine = self._layer, self._array, self._engines.bp
        du, need = self._masks.gradients(layer.index), self._masks.input_need(layer.index)
        real = bp_counts(layer, du, need, array.chunk, array.tile)
        if engine.skip_gradients and engine.skip_outputs:
            return real
        du = self._seen_gradients(du, engine.skip_gradients)
        need = _seen(need, engine.skip_outputs)
        return PairCounts(bp_counts(layer, du, need, array.chunk, array.tile).executed, real.useful)

    @cached_property
    def wg(self) -> PairCounts:
        """WG's counts."""
        layer, array, engine = self._layer, self._array, self._engines.wg
        inputs, du = self._masks.inputs(layer.index), self._masks.gradients(layer.index)
        real = wg_counts(layer, inputs, du, array.chunk, array.tile)
        if engine.skip_spikes and engine.skip_gradients:
            return real
        inputs = _seen(inputs, engine.skip_spikes)
        du = self._seen_gradients(du, engine.skip_gradients)
        seen = wg_counts(layer, inputs, du, array.chunk, array.tile)
        return PairCounts(seen.executed, real.useful)

    @cached_property
    def _touched(self) -> dict[Span, Ints]:
        return {}

    def touched(self, channels: Span) -> Ints:
        """BP's touched positions for the output channels of a slice."""
        found = self._touched
        if channels not in found:
            layer, engine = self._layer, self._engines.bp
            du = self._seen_gradients(self._masks.gradients(layer.index), engine.skip_gradients)
            need = _seen(self._masks.input_need(layer.index), engine.skip_outputs)
            found[channels] = bp_touched(layer, du[:, :, slice(*channels)], need, self._array.chunk)
        return found[channels]

    def drop(self) -> None:
        """Forget all counts; they are made again if asked for again."""
        for name in ("fp", "bp", "wg", "_touched"):
            self.__dict__.pop(name, None)

    def _seen_gradients(self, du: Bools, skipping: bool) -> Bools:
        """What a zero test sees of dY: a slice that is skipped whole is not seen at all."""
        return _seen(du, skipping) & self._live[..., None, None, None]


def _seen(values: Bools, skipping: bool) -> Bools:
    """What an engine's zero test sees: without the policy, nothing looks like a zero."""
    return values if skipping else np.ones_like(values)
