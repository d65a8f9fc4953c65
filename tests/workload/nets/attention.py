"""Attention of spikes, as its papers write it: tokens [T, B, N, C], heads, products of q, k, v."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn

from tests.workload.nets.parts import LIF, Over, conv, linear


class TokenLayer(nn.Module):
    """A linear layer over tokens, batch normalisation, neurons."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.bn, self.lif = linear(inputs, outputs), nn.BatchNorm1d(outputs), LIF()

    def forward(self, tokens: Any) -> Any:
        """Spikes [T, B, N, C] -> spikes [T, B, N, K]."""
        products = self.linear(tokens.flatten(0, 1))
        normal = self.bn(products.transpose(-1, -2)).transpose(-1, -2)
        return self.lif(normal.reshape(*tokens.shape[:3], -1).contiguous())


class SpikingSelfAttention(nn.Module):
    """x = LIF((q k' times a scale) v), head by head, without a softmax.

    The published scale is 0.125 with a threshold of 0.5, which is 0.25 with one of 1.
    """

    def __init__(self, width: int, heads: int, scale: float = 0.25) -> None:
        super().__init__()
        self.q, self.k, self.v = (TokenLayer(width, width) for _ in range(3))
        self.attn_lif, self.proj = LIF(), TokenLayer(width, width)
        self.heads, self.scale = heads, scale

    def by_head(self, spikes: Any) -> Any:
        """[T, B, N, C] -> [T, B, heads, N, C / heads]."""
        return spikes.unflatten(-1, (self.heads, -1)).transpose(2, 3).contiguous()

    def multiplied(self, q: Any, k: Any, v: Any) -> Any:
        """[T, B, heads, N, C / heads], of three of these."""
        return (q @ k.transpose(-2, -1)) * self.scale @ v

    def forward(self, tokens: Any) -> Any:
        """Spikes of the same shape."""
        q, k, v = (self.by_head(layer(tokens)) for layer in (self.q, self.k, self.v))
        x = self.multiplied(q, k, v).transpose(2, 3).reshape(tokens.shape).contiguous()
        return self.proj(self.attn_lif(x))


class Block(nn.Module):
    """Attention and a perceptron of two layers, each added to what it reads."""

    def __init__(self, width: int, heads: int, ratio: int = 4) -> None:
        super().__init__()
        self.attn = SpikingSelfAttention(width, heads)
        self.mlp = nn.Sequential(TokenLayer(width, ratio * width), TokenLayer(ratio * width, width))

    def forward(self, tokens: Any) -> Any:
        """Sums of spikes."""
        tokens = tokens + self.attn(tokens)
        return tokens + self.mlp(tokens)


class PatchStem(nn.Module):
    """Four convolutions, two of them pooled, and a position embedding that is added (SPS)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        widths = (inputs, width // 8, width // 4, width // 2, width)
        pools = (nn.Identity(), nn.Identity(), *(nn.MaxPool2d(3, 2, 1) for _ in range(2)))
        self.convs = nn.ModuleList(Over(conv(c, k), nn.BatchNorm2d(k)) for c, k in pairwise(widths))
        self.lifs, self.pools = nn.ModuleList(LIF() for _ in pools), nn.ModuleList(map(Over, pools))
        self.position, self.lif = Over(conv(width, width), nn.BatchNorm2d(width)), LIF()

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, C, H, W] -> sums of spikes [T, B, H W / 16, width]."""
        x = frames
        for layer, lif, pool in zip(self.convs, self.lifs, self.pools, strict=True):
            x = pool(lif(layer(x)))
        x = x + self.lif(self.position(x))
        return x.flatten(-2).transpose(-1, -2)


class Spikformer(nn.Module):
    """Spikformer: a stem of patches, blocks of attention, and a head over the mean of tokens."""

    def __init__(self, inputs: int, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.stem = PatchStem(inputs, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.head = nn.Linear(width, 10)

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, C, H, W] -> classes [T, B, 10]."""
        return self.head(self.blocks(self.stem(frames)).mean(2))


class SpikingJellySpikformer(nn.Module):
    """Spikformer as SpikingJelly 2 builds it: one convolution makes q, k and v; k' v first.

    Shifts before the neurons of q, k and v are raised: those of weights at the start leave
    attention silent.
    """

    def __init__(self, side: int, width: int, heads: int, blocks: int) -> None:
        from spikingjelly.activation_based.model.spikformer import Spikformer

        super().__init__()
        self.net = Spikformer(
            img_size_h=side, img_size_w=side, patch_size=4, num_classes=10, embed_dims=width,
            num_heads=heads, depths=blocks,
        )  # fmt: skip
        for block in self.net.blocks:
            nn.init.constant_(block.attn.qkv_conv_bn[1].bias, 2.0)

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, C, H, W] -> classes [T, B, 10], from rest."""
        from spikingjelly.activation_based import functional

        functional.reset_net(self.net)
        return self.net(frames)
