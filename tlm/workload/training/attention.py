"""Attention of spikes as a torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn

_SCALE: Final = 0.25
"""Of the products: the published 0.125 for neurons of threshold 0.5 is 0.25 for those of 1."""

_SHIFT: Final = 1.0
"""Of the norms of q, k and v before training: products of the few spikes there are without one
leave attention silent, and what is silent has no gradient."""

NORMS_START = f"norms of q, k and v shifted by {_SHIFT:g}"
"""How attention starts, in words."""


class SpikingSelfAttention(nn.Module):
    """Spiking self-attention (Zhou et al., arXiv 2209.15425): x = q k' v times a scale, no softmax.

    A token is a position. ``layer`` makes what brings its channels to as many, in spikes, with a
    shift of the norm that it is called with; ``lif`` are neurons behind the products.
    """

    def __init__(self, layer: Callable[[float], nn.Module], lif: nn.Module, heads: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (layer(_SHIFT) for _ in "qkv")
        self.lif, self.proj = lif, layer(0.0)
        self.heads = heads

    def forward(self, spikes: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape, of 0 and 1."""
        q, k, v = (self._by_head(layer(spikes)) for layer in (self.q, self.k, self.v))
        x = (q @ k.mT @ v * _SCALE).mT.reshape(spikes.shape)
        attended: Tensor = self.proj(self.lif(x))
        return attended

    def _by_head(self, spikes: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, heads, H W, C / heads]."""
        return spikes.flatten(2).unflatten(1, (self.heads, -1)).mT
