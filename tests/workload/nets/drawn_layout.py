"""How random networks lay out time: blocks see [N, C, *space], neurons see their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from tests.workload.nets.drawn_neurons import (
    LI,
    PLIF,
    BatchLI,
    BatchLIF,
    BatchPLIF,
    StepLI,
    StepPLIF,
)
from tests.workload.nets.parts import LIF, StepLIF


class Layout(NamedTuple):
    """``blocks`` and ``steps`` undo each other: [T, B, C, ...] to what blocks see, and back."""

    name: str
    blocks: Callable[[Any], Any]
    steps: Callable[[Any, int], Any]
    time: int | None = None
    """The axis of time where blocks see three axes of space, of which it is one."""

    by_step: bool = False
    batch_first: bool = False

    def window(self, sizes: tuple[int, ...], of_time: int = 1) -> tuple[int, ...]:
        """Sizes over space, and ``of_time`` where time is one of its axes."""
        if self.time is None:
            return sizes
        return (of_time, *sizes) if self.time == 2 else (*sizes, of_time)

    def modules(self, space: int) -> Modules:
        """Torch's modules of as many axes."""
        return MODULES[space + (self.time is not None)]

    def axis(self, x: Any) -> int:
        """The first axis of space."""
        return 3 if self.time == 2 else 2

    def fire(self, neuron: Any, current: Any) -> Any:
        """Neurons on [T, B, ...], or on one step of it."""
        if self.batch_first:
            return neuron(current.transpose(0, 1)).transpose(0, 1)
        return neuron(current)

    def neurons(self, kind: str) -> Any:
        """A new neuron module that sees time as it lies here."""
        if self.by_step:
            return {"LIF": StepLIF, "PLIF": StepPLIF, "LI": StepLI}[kind]()
        if self.batch_first:
            return {"LIF": BatchLIF, "PLIF": BatchPLIF, "LI": BatchLI}[kind]()
        return {"LIF": LIF, "PLIF": PLIF, "LI": LI}[kind]()


class Modules(NamedTuple):
    """Torch's modules over so many axes of space."""

    conv: Any
    transposed: Any
    norm: Any
    largest: Any
    mean: Any


MODULES = {
    1: Modules(nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d),
    2: Modules(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d),
    3: Modules(nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.MaxPool3d, nn.AvgPool3d),
}

LAYOUTS = (
    Layout("step by step", lambda x: x, lambda x, steps: x, by_step=True),
    Layout("folded [T B]", lambda x: x.flatten(0, 1), lambda x, steps: x.unflatten(0, (steps, -1))),
    Layout(
        "folded [B T]",
        lambda x: x.transpose(0, 1).flatten(0, 1),
        lambda x, steps: x.unflatten(0, (-1, steps)).transpose(0, 1),
    ),
    Layout(
        "neurons [B, T]",
        lambda x: x.transpose(0, 1).flatten(0, 1),
        lambda x, steps: x.unflatten(0, (-1, steps)).transpose(0, 1),
        batch_first=True,
    ),
    Layout("time as depth", lambda x: x.movedim(0, 2), lambda x, steps: x.movedim(2, 0), time=2),
    Layout("time last", lambda x: x.movedim(0, -1), lambda x, steps: x.movedim(-1, 0), time=-1),
)
