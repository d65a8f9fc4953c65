"""Layers of random networks: products, norms, addends and attention over what is read."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import torch
from torch import nn

from tests.workload.nets.drawn_layout import Layout
from tests.workload.nets.drawn_operands import sides
from tests.workload.nets.parts import linear, loud


class Context(NamedTuple):
    """What every layer of a network shares."""

    draw: random.Random
    layout: Layout
    space: int
    steps: int
    notes: set[str]

    def note(self, structure: str, occurs: Any = True) -> None:
        """Remember that the network has a structure, if it occurs."""
        if occurs:
            self.notes.add(structure)

    def neurons(self) -> Any:
        """New neurons, one in four learning."""
        kind = "PLIF" if self.draw.random() < 0.25 else "LIF"
        self.note(f"{kind} neurons")
        return self.layout.neurons(kind)

    def fire(self, neuron: Any, current: Any) -> Any:
        """Spikes in the layout of blocks."""
        steps = self.layout.steps(current, self.steps)
        return self.layout.blocks(self.layout.fire(neuron, steps))


class Tokens(nn.Module):
    """A linear layer over the places of [N, C, *space], as [N, P, C]."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.linear = linear(channels, outputs)

    def forward(self, x: Any) -> Any:
        """[N, K, *space]."""
        return self.linear(x.flatten(2).mT).mT.unflatten(2, x.shape[2:])


def product(x: Any, context: Context, outputs: int | None = None, plain: bool = False) -> Any:
    """A product over ``x``, of ``outputs`` channels and the size of x where these are said."""
    draw, layout, channels = context.draw, context.layout, x.shape[1]
    modules, space = layout.modules(context.space), context.space
    kinds = ["convolution"] * 3
    if outputs is None and not plain:
        kinds += ["dilated convolution", "strided convolution", "transposed convolution"]
        kinds += ["depthwise convolution"] * (channels > 1) + ["grouped convolution"] * (
            channels % 2 == 0
        )
    if layout.time is None and not plain:
        kinds.append("linear over tokens")
    kind = draw.choice(kinds)
    k = outputs or 2 * draw.randint(1, 3)
    context.note(f"{kind}, {space}-D" if "convolution" in kind else kind)
    if kind == "linear over tokens":
        return Tokens(channels, k)
    if kind == "transposed convolution":
        # Of stride 1 it is a plain convolution, and counted as one.
        stride = layout.window((2, *(draw.randint(1, 2) for _ in range(space - 1))))
        return loud(modules.transposed(channels, k, layout.window((2,) * space), stride))
    size = tuple(draw.choice((1, 3)) for _ in range(space))
    stride, dilation, groups = (1,) * space, (1,) * space, 1
    if kind == "dilated convolution":
        size, dilation = (3,) * space, tuple(draw.randint(1, 2) for _ in range(space))
    elif kind == "strided convolution":
        stride = tuple(draw.randint(1, 2) for _ in range(space))
    elif kind in ("grouped convolution", "depthwise convolution"):
        # A single weight before a norm has no gradient but rounding.
        size, groups = (3,) * space, 2 if kind == "grouped convolution" else channels
        k = channels if kind == "depthwise convolution" else k
    padding = tuple(d * (s // 2) for s, d in zip(size, dilation, strict=True))
    return loud(
        modules.conv(
            channels, k, layout.window(size), stride=layout.window(stride),
            padding=layout.window(padding, 0), dilation=layout.window(dilation),
            groups=groups, bias=draw.random() < 0.5,
        )
    )  # fmt: skip


class Norms(nn.Module):
    """One norm for each step, or one for all whose outputs each step scales."""

    def __init__(self, kind: str, channels: int, context: Context) -> None:
        super().__init__()
        make = context.layout.modules(context.space).norm
        self.kind, self.context, self.now = kind, context, 0
        count = context.steps if kind == "norm of each step" else 1
        self.norms = nn.ModuleList(
            make(channels, affine=kind != "norm without scale") for _ in range(count)
        )
        if kind == "norm scaled by step":
            self.factors = nn.Parameter(torch.linspace(0.8, 1.2, context.steps))

    def forward(self, current: Any) -> Any:
        """The same layout."""
        layout, steps = self.context.layout, self.context.steps
        if self.kind == "norm of each step":
            if layout.by_step:
                return self.norms[self.now](current)
            each = zip(self.norms, layout.steps(current, steps), strict=True)
            return layout.blocks(torch.stack([norm(now) for norm, now in each]))
        out = self.norms[0](current)
        if self.kind != "norm scaled by step":
            return out
        if layout.by_step:
            return out * self.factors[self.now]
        stepped = layout.steps(out, steps)
        return layout.blocks(stepped * self.factors.reshape(-1, *[1] * (stepped.ndim - 1)))


def norm(channels: int, context: Context) -> Any:
    """Mostly none."""
    kinds = ["norm", "norm without scale"]
    if context.layout.time is None:
        kinds += ["norm of each step", "norm scaled by step"]
    if context.draw.random() < 0.6:
        return nn.Identity()
    kind = context.draw.choice(kinds)
    context.note(kind)
    return Norms(kind, channels, context)


class Attention(nn.Module):
    """q, k, v of tokens [N, P, C], head by head, in either order of the two products."""

    def __init__(self, channels: int, context: Context) -> None:
        super().__init__()
        draw, self.context = context.draw, context
        self.heads = 2 if channels % 2 == 0 and draw.random() < 0.5 else 1
        self.scale, self.keys_first = draw.choice((1.0, 0.5)), draw.random() < 0.5
        self.qkv = nn.ModuleList(linear(channels, channels) for _ in range(3))
        self.lifs = nn.ModuleList(context.neurons() for _ in range(4))
        context.note(f"attention, {'several heads' if self.heads > 1 else '1 head'}")

    def forward(self, x: Any) -> Any:
        """Spikes [N, C, *space]."""
        tokens = x.flatten(2).mT
        q, k, v = (
            self.context.fire(lif, each(tokens)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for lif, each in zip(self.lifs, self.qkv, strict=False)
        )
        out = q @ (k.mT @ v) if self.keys_first else (q @ k.mT) @ v
        out = (out * self.scale).transpose(1, 2).flatten(2)
        return self.context.fire(self.lifs[3], out).mT.unflatten(2, x.shape[2:])


def flat(x: Any, context: Context) -> Any:
    """[N, C, *space] -> [T, B, features], or [B, features] of one step."""
    layout = context.layout
    lead = 1 if layout.by_step else 2
    return layout.steps(x, context.steps).flatten(lead)


def mean(x: Any, context: Context) -> Any:
    """Means over space, laid out as :func:`flat`."""
    first = context.layout.axis(x)
    axes = tuple(range(first, first + len(sides(x, context.layout))))
    return flat(x.mean(axes), context)
