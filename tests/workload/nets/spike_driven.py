"""The Spike-driven Transformer, after its authors' code (Yao et al., arXiv 2307.01694)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn

from tests.workload.nets.currents import normed
from tests.workload.nets.parts import CLASSES, LIF, Over, conv, linear


class Stem(nn.Module):
    """Four convolutions, the last two pooled, and one for positions: currents of tokens."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        widths = (inputs, width // 8, width // 4, width // 2, width)
        self.convs = nn.ModuleList(normed(before, behind) for before, behind in pairwise(widths))
        self.neurons, self.pool = nn.ModuleList(LIF() for _ in self.convs), Over(nn.MaxPool2d(2))
        self.positions = normed(width, width)

    def forward(self, frames: Any) -> Any:
        """[T, B, width, H / 4, W / 4]."""
        x = self.neurons[0](self.convs[0](frames))
        x = self.neurons[1](self.convs[1](x))
        x = self.pool(self.neurons[2](self.convs[2](x)))
        currents = self.pool(self.convs[3](x))
        return self.positions(self.neurons[3](currents)) + currents


class Attention(nn.Module):
    """q where, by channel, enough tokens have k and v: no product but of spikes."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Sequential(normed(width, width, 1), LIF()) for _ in range(3))
        self.own, self.n = LIF(), LIF()
        self.proj = normed(width, width, 1)

    def forward(self, currents: Any) -> Any:
        """Currents."""
        spikes = self.own(currents)
        q, k, v = (self.tokens(of(spikes)) for of in (self.q, self.k, self.v))
        kv = self.n(k.mul(v).sum(dim=-2, keepdim=True))
        attention = q.mul(kv).transpose(3, 4).reshape(spikes.shape)
        return self.proj(attention) + currents

    def tokens(self, spikes: Any) -> Any:
        """[T, B, heads, tokens, channels of a head]."""
        steps, batch = spikes.shape[:2]
        last = spikes.flatten(3).transpose(-1, -2)
        by_head = last.reshape(steps, batch, last.shape[2], self.heads, -1)
        return by_head.permute(0, 1, 3, 2, 4).contiguous()


class Mlp(nn.Module):
    """Two products, each behind neurons."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.n, self.m = LIF(), LIF()
        self.a = Over(conv(width, hidden, 1), nn.BatchNorm2d(hidden))
        self.b = Over(conv(hidden, width, 1), nn.BatchNorm2d(width))

    def forward(self, currents: Any) -> Any:
        """Currents."""
        return self.b(self.m(self.a(self.n(currents)))) + currents


class SpikeDrivenTransformer(nn.Module):
    """``depth`` blocks of attention and MLP on currents of ``width`` channels."""

    def __init__(self, inputs: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.stem = Stem(inputs, width)
        blocks = [(Attention(width, heads), Mlp(width, 4 * width)) for _ in range(depth)]
        self.blocks = nn.Sequential(*(module for block in blocks for module in block))
        self.n, self.head = LIF(), linear(width, CLASSES)

    def forward(self, frames: Any) -> Any:
        """[T, B, classes]."""
        tokens = self.blocks(self.stem(frames)).flatten(3)
        return self.head(self.n(tokens.mean(3)))
