"""What earlier layers add to a layer's current, and the gradients that go back there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.model import Layer, Shortcut
from tlm.workload.readers import adds_output
from tlm.workload.values import Numbers


class Passed(Protocol):
    """FP of a layer: its ``current`` before the neurons, its ``output`` before ``pool``."""

    @property
    def current(self) -> Numbers:
        """[T, B, K, E, F]."""

    @property
    def output(self) -> Numbers:
        """[T, B, K, E, F]."""


Passing: TypeAlias = Mapping[int, Passed] | Sequence[Passed]
"""FP of layers, by index."""


@dataclass(frozen=True)
class Arriving:
    """Gradients that arrive at layers, by index: at their outputs, behind the pool, and at the
    ``currents`` before their neurons."""

    outputs: dict[int, Numbers]
    currents: dict[int, Numbers] = field(default_factory=dict)

    def add_output(self, index: int, gradient: Numbers) -> None:
        """``gradient`` arrives at the output of layer ``index``."""
        _add(self.outputs, index, gradient)

    def add_current(self, index: int, gradient: Numbers) -> None:
        """``gradient`` arrives at the current of layer ``index``."""
        _add(self.currents, index, gradient)


def _add(sums: dict[int, Numbers], index: int, gradient: Numbers) -> None:
    sums[index] = sums[index] + gradient if index in sums else gradient


def with_shortcuts(
    own: Numbers,
    layer: Layer,
    layers: Sequence[Layer],
    passed: Passing,
) -> Numbers:
    """The ``own`` current of ``layer`` and what its shortcuts add to it, [T, B, K, E, F]."""
    total = own
    for shortcut in layer.shortcuts:
        added = pooled(shortcut.pool, _read(shortcut, layers, passed))
        total = total + added.reshape(own.shape)
    return total


def send_back(
    gradient: Numbers,
    layer: Layer,
    layers: Sequence[Layer],
    passed: Passing,
    arriving: Arriving,
) -> None:
    """Let the ``gradient`` at the current of ``layer`` arrive at all that its shortcuts add."""
    for shortcut in layer.shortcuts:
        read = _read(shortcut, layers, passed)
        shape = read.shape if shortcut.pool is None else pooled(shortcut.pool, read).shape
        share = pool_gradient(shortcut.pool, read, gradient.reshape(shape))
        if adds_output(shortcut, layers):
            arriving.add_output(shortcut.layer, share)
        else:
            arriving.add_current(shortcut.layer, share)


def _read(
    shortcut: Shortcut, layers: Sequence[Layer], passed: Mapping[int, Passed] | Sequence[Passed]
) -> Numbers:
    source = passed[shortcut.layer]
    if adds_output(shortcut, layers):
        return pooled(layers[shortcut.layer].pool, source.output)
    return source.current
