"""Windows of convolutions and pools: each recorded, rebuilt from its file, counted as hooks count.

What a golden model rebuilds is what torch computed: outputs, both gradients, and masks.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.pools import pools_on  # noqa: E402
from tests.workload.nets.parts import CLASSES, LIF, Over, conv, events, linear, recorded  # noqa: E402
from tlm.workload.model import Pool  # noqa: E402

SIDES = (9, 8)
FREELY = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Three(nn.Module):
    """A convolution, LIF, ``between`` as it stands, LIF, and a linear read-out."""

    def __init__(self, between: Any, behind: int, channels: int = 6) -> None:
        super().__init__()
        self.first, self.lif = Over(conv(2, channels)), LIF()
        self.between, self.last = Over(between), LIF()
        with torch.no_grad():
            size = between(torch.zeros(1, channels, *SIDES)).numel()
        self.out = linear(size, behind)

    def forward(self, frames: Any) -> Any:
        spikes = self.lif(self.first(frames))
        return self.out(self.last(self.between(spikes)).flatten(2))


def job_of(between: Any, path: Path) -> Any:
    """The job of a network with ``between`` in its middle."""
    return recorded(Three(between, CLASSES), events(2, *SIDES), path)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@FREELY
@given(
    kernel=PAIRS,
    dilation=PAIRS,
    stride=PAIRS,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    groups=st.sampled_from((1, 2, 6)),
    seed=st.integers(0, 99),
)
def test_dilated_convolutions(seed: int, tmp_path: Path, **window: Any) -> None:
    """Of any stride and padding, grouped and of each channel alone."""
    torch.manual_seed(seed)
    layer = job_of(conv(6, 6, **window), tmp_path).layers[1]
    assert (layer.kernel, layer.dilation) == (window["kernel"], window["dilation"])


class Pooled(nn.Module):
    """A convolution, LIF, a pool of its spikes, and a linear read-out."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.first, self.lif, self.pool = Over(conv(2, 6)), LIF(), pool
        self.out = linear(prod(pool.pooled((6, *SIDES))), CLASSES)

    def forward(self, frames: Any) -> Any:
        spikes = self.lif(self.first(frames)).flatten(0, 1)
        windows = (self.pool.size, self.pool.stride, self.pool.padding)
        if self.pool.kind == "max":
            pooled = F.max_pool2d(spikes, *windows, ceil_mode=any(self.pool.overhang))
        else:
            pooled = F.avg_pool2d(spikes, *windows)
        return self.out(pooled.flatten(1)).unflatten(0, frames.shape[:2])


@FREELY
@given(pool=pools_on((6, *SIDES), ("max", "average")), seed=st.integers(0, 99))
def test_pools(pool: Pool, seed: int, tmp_path: Path) -> None:
    """Of oblong windows, strides and padding, and rounded up."""
    up = any(pool.overhang)
    if up:  # torch rounds both sides up
        short = ((side + 2 * pad - size) % step for side, pad, size, step in zip(
            SIDES, pool.padding, pool.size, pool.stride, strict=True))  # fmt: skip
        over = [step - rest if rest else 0 for step, rest in zip(pool.stride, short, strict=True)]
        pool = replace(pool, overhang=(over[0], over[1]))
        assume(pool.fits((6, *SIDES)))
    torch.manual_seed(seed)
    layer = recorded(Pooled(pool), events(2, *SIDES), tmp_path).layers[0]
    assert layer.pooled_shape == pool.pooled((6, *SIDES))
    assert layer.pool == pool


def test_a_dilated_convolution_that_keeps_the_size(tmp_path: Path) -> None:
    """Padding "same" counts the zeros between the taps."""
    layer = job_of(conv(6, 4, 3, dilation=(2, 3), padding="same"), tmp_path).layers[1]
    assert (layer.padding, layer.out_shape) == ((2, 3), (4, *SIDES))
