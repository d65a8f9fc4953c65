"""Random networks over all structures that are recorded; each says which of them it has."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.workload.nets.drawn_layers import Attention, Context, Norms, flat, mean, norm, product
from tests.workload.nets.drawn_layout import LAYOUTS
from tests.workload.nets.drawn_neurons import KNOWN
from tests.workload.nets.drawn_operands import joined, joins_of, window, windows_of
from tests.workload.nets.parts import CLASSES, linear, vote
from tlm.workload.capture import Capture

INPUTS: dict[str, Callable[[Any], Any]] = {
    "events": lambda draw: (draw < 0.4).float(),
    "counts": lambda draw: torch.floor(3 * draw**2),
    "analog frames": lambda draw: draw - 0.3,
    "one analog frame": lambda draw: draw[:1].expand(draw.shape),
}
"""Frames of numbers [T, B, C, ...] in [0, 1)."""


class Layer(nn.Module):
    """Reads one or two of what there is; a product, a norm, an addend, neurons."""

    def __init__(self, context: Context, outputs: list[Any], currents: list[Any]) -> None:
        super().__init__()
        draw, self.context, self.addend = context.draw, context, None
        self._draw_operand(outputs, first=len(outputs) == 1)
        x = self.read(outputs)
        self.recurrent = 0
        if context.layout.by_step and draw.random() < 0.3:
            context.note("recurrence")
            self.recurrent = 2 * draw.randint(1, 2)
            x = torch.cat((x, x.new_zeros(len(x), self.recurrent, *x.shape[2:])), 1)
        # The network's input is not read by a transposed convolution.
        plain = len(outputs) == 1
        self.product = product(x, context, self.recurrent or None, plain)
        current = self.product(x)
        self.norm = norm(current.shape[1], context)
        self._draw_addend(outputs, currents, current.shape)
        self.neuron, self.back = context.neurons(), None

    def _draw_operand(self, outputs: list[Any], first: bool) -> None:
        draw, layout = self.context.draw, self.context.layout
        self.own = 0 if first else draw.randint(1, len(outputs) - 1)
        x, self.other, self.join = outputs[self.own], self.own, lambda x, y: x
        others = [at for at in range(1, len(outputs)) if at != self.own]
        fitting = [(at, name) for at in others for name in joins_of(x, outputs[at])]
        if fitting and draw.random() < 0.5:
            self.other, name = draw.choice(fitting)
            self.join = joined(name, layout)
            self.context.note(name)
        x = self.join(x, outputs[self.other])
        name = "whole" if first else draw.choice(windows_of(x, layout))
        self.window = window(name, layout, self.context.space, draw)
        dropped = not first and draw.random() < 0.15
        self.dropout = nn.Dropout(0.3) if dropped else nn.Identity()
        self.context.note("dropout", dropped)
        self.context.note(name, name != "whole")

    def _draw_addend(self, outputs: list[Any], currents: list[Any], shape: Any) -> None:
        """A current or spikes of the same shape, mostly none."""
        alike = [
            (kind, at)
            for kind, kept in (("currents", currents), ("spikes", outputs))
            for at in range(1, len(kept))
            if kept[at] is not None and kept[at].shape == shape
        ]
        if alike and self.context.draw.random() < 0.4:
            self.addend = self.context.draw.choice(alike)
            self.context.note(f"shortcut of {self.addend[0]}")

    def read(self, outputs: list[Any]) -> Any:
        """What the product reads, without what comes back."""
        return self.dropout(self.window(self.join(outputs[self.own], outputs[self.other])))

    def forward(self, outputs: list[Any], currents: list[Any]) -> tuple[Any, Any]:
        """The current and the spikes."""
        x = self.read(outputs)
        if self.recurrent:
            rest = x.new_zeros(len(x), self.recurrent, *x.shape[2:])
            x = torch.cat((x, rest if self.back is None else self.back), 1)
        current = self.norm(self.product(x))
        if self.addend is not None:
            kind, at = self.addend
            current = current + (currents if kind == "currents" else outputs)[at]
        self.back = self.context.fire(self.neuron, current)
        return current, self.back


class Attending(nn.Module):
    """Attention over the places of one of what there is."""

    def __init__(self, context: Context, outputs: list[Any]) -> None:
        super().__init__()
        self.own = context.draw.randint(1, len(outputs) - 1)
        self.attention = Attention(outputs[self.own].shape[1], context)

    def forward(self, outputs: list[Any], currents: list[Any]) -> tuple[None, Any]:
        """No current that another layer could add, and the spikes."""
        return None, self.attention(outputs[self.own])


class Head(nn.Module):
    """A read-out of what no layer reads; its potentials, where it leaks."""

    def __init__(self, context: Context, outputs: list[Any], ends: list[int]) -> None:
        super().__init__()
        draw, self.context, self.ends = context.draw, context, ends
        self.flat = mean if draw.random() < 0.25 else flat
        context.note("mean over all places", self.flat is mean)
        features = self.read(outputs).shape[-1]
        self.hidden = linear(features, 6) if draw.random() < 0.3 else None
        if self.hidden is not None:
            context.note("hidden linear layer")
            self.lif = context.neurons()
        self.out = linear(6 if self.hidden is not None else features, CLASSES)
        self.leak = context.layout.neurons("LI") if draw.random() < 0.25 else None
        context.note("loss on potentials", self.leak)

    def read(self, outputs: list[Any]) -> Any:
        """[T, B, features], or of one step."""
        return torch.cat([self.flat(outputs[at], self.context) for at in self.ends], -1)

    def forward(self, outputs: list[Any]) -> Any:
        """[T, B, classes], or of one step."""
        layout, x = self.context.layout, self.read(outputs)
        if self.hidden is not None:
            x = layout.fire(self.lif, self.hidden(x))
        out = self.out(x)
        return out if self.leak is None else layout.fire(self.leak, out)


class Drawn(nn.Module):
    """Two to four layers, each of which reads any before it, and one or two read-outs."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        layout, space = draw.choice(LAYOUTS), draw.choice((1, 2, 2, 2))
        space = 2 if layout.time is not None else space
        shape = (draw.randint(2, 3), 2, 2, *(draw.randint(6, 8) for _ in range(space)))
        coding = draw.choice([*INPUTS, "events"])
        self.context = Context(draw, layout, space, shape[0], {layout.name, f"input: {coding}"})
        numbers = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        self.frames = INPUTS[coding](numbers)
        self.layers, self.heads = nn.ModuleList(), nn.ModuleList()
        with torch.no_grad():
            self._draw_layers()

    def _draw_layers(self) -> None:
        context, draw = self.context, self.context.draw
        frames = self.frames[0] if context.layout.by_step else self.frames
        outputs, currents = [context.layout.blocks(frames)], [None]
        count = draw.randint(2, 4)
        for at in range(count):
            attends = at and context.layout.time is None and draw.random() < 0.2
            layer = Attending(context, outputs) if attends else Layer(context, outputs, currents)
            self.layers.append(layer)
            current, spikes = layer(outputs, currents)
            outputs.append(spikes)
            currents.append(current)
        read = {0, *(layer.own for layer in self.layers)}
        read |= {layer.other for layer in self.layers if isinstance(layer, Layer)}
        ends = [at for at in range(count + 1) if at not in read]
        for _ in range(1 + (draw.random() < 0.2)):
            self.heads.append(Head(context, outputs, ends))
        context.note("two read-outs", len(self.heads) == 2)

    def step(self, frames: Any) -> Any:
        """All layers over frames as blocks see them: [..., heads, classes]."""
        outputs, currents = [frames], [None]
        for layer in self.layers:
            current, spikes = layer(outputs, currents)
            outputs.append(spikes)
            currents.append(current)
        return tuple(head(outputs) for head in self.heads)

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, C, ...] -> for each head [T, B, classes]."""
        for layer in self.layers:
            layer.back = None
        if not self.context.layout.by_step:
            return self.step(self.context.layout.blocks(frames))
        steps = []
        for now, frame in enumerate(frames):
            for module in self.modules():
                if isinstance(module, Norms):
                    module.now = now
            steps.append(self.step(frame))
        return tuple(torch.stack(each) for each in zip(*steps, strict=True))


def loss(heads: Any) -> Any:
    """The votes of all heads."""
    return sum(map(vote, heads))


def capture_of(net: Drawn) -> Capture:
    """What records it."""
    layout = net.context.layout
    axis = 1 if layout.batch_first else 0
    return Capture(net, steps=len(net.frames), neurons=KNOWN, time_axis=axis)
