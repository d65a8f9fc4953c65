"""Operands that are more than sums: each is recorded, rebuilt from its file, and counted right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.parts import (  # noqa: E402
    CLASSES,
    LIF,
    Over,
    conv,
    events,
    linear,
    recorded,
)
from tlm.workload.report.reads import reads  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights each time."""
    torch.manual_seed(0)


class Two(nn.Module):
    """Two layers a (4 x 8 x 8) and b (6 x 8 x 8), what ``between`` makes of them, and a third."""

    def __init__(self, between: Callable[[Any, Any], Any], channels: int, side: int = 8) -> None:
        super().__init__()
        self.a, self.b, self.c = Over(conv(2, 4)), Over(conv(4, 6)), Over(conv(channels, 3))
        self.n, self.m, self.k = LIF(), LIF(), LIF()
        self.out = linear(3 * side * side, CLASSES)
        self.between = between

    def forward(self, frames: Any) -> Any:
        a = self.n(self.a(frames))
        b = self.m(self.b(a))
        return self.out(self.k(self.c(self.between(a, b))).flatten(2))


def pooled(spikes: Any, size: int = 2) -> Any:
    """Max-pooled over all steps."""
    return F.max_pool2d(spikes.flatten(0, 1), size).unflatten(0, spikes.shape[:2])


def up(spikes: Any, factor: int = 2) -> Any:
    """Upsampled over all steps."""
    behind = F.interpolate(spikes.flatten(0, 1), scale_factor=factor)
    return behind.unflatten(0, spikes.shape[:2])


def averaged_of(spikes: Any) -> Any:
    """Average-pooled over all steps."""
    return F.avg_pool2d(spikes.flatten(0, 1), 2).unflatten(0, spikes.shape[:2])


def later(spikes: Any) -> Any:
    """One step later; zeros first."""
    return torch.cat((torch.zeros_like(spikes[:1]), spikes[:-1]))


BETWEEN: dict[str, tuple[Callable[[Any, Any], Any], int, int, str]] = {
    "concatenation": (lambda a, b: torch.cat((a, b), 2), 10, 8, "0 | 1"),
    "the other way round": (lambda a, b: torch.cat((b, a), 2), 10, 8, "1 | 0"),
    "split": (lambda a, b: b.split(3, 2)[1], 3, 8, "1[3:6]"),
    "chunks exchanged": (lambda a, b: torch.cat(b.chunk(2, 2)[::-1], 2), 6, 8, "1[3:6] | 1[0:3]"),
    "channels by number": (lambda a, b: b[:, :, [4, 0, 1]], 3, 8, "1[4:5] | 1[0:2]"),
    "sum of a slice": (lambda a, b: a + b[:, :, 1:5], 4, 8, "0 + 1[1:5]"),
    "sum with fewer channels": (
        lambda a, b: F.pad(a, (0, 0, 0, 0, 1, 1)) + b,
        6,
        8,
        "1[0:1] | 0 + 1[1:5] | 1[5:6]",
    ),
    "cropped": (lambda a, b: b[..., 1:7, 2:8], 6, 6, "1[0:6, 1:7, 2:8]"),
    "padded on one side": (
        lambda a, b: F.pad(b, (1, 0, 1, 0)),
        6,
        9,
        "1[0:6, 0:8 pad 1/0, 0:8 pad 1/0]",
    ),
    "every second": (lambda a, b: b[..., ::2, ::2], 6, 4, "1[0:6, 0:7:2, 0:7:2]"),
    "focus": (
        lambda a, b: torch.cat((b[..., ::2, ::2], b[..., 1::2, ::2]), 2),
        12,
        4,
        "1[0:6, 0:7:2, 0:7:2] | 1[0:6, 1:8:2, 0:7:2]",
    ),
    "upsampled": (lambda a, b: up(b), 6, 16, "1[0:6, 0:8 x2, 0:8 x2]"),
    "down and up": (
        lambda a, b: torch.cat((a, up(pooled(b))), 2),
        10,
        8,
        "0 | 1[0:6, 0:4 x2, 0:4 x2]",
    ),
    "each pooled otherwise": (
        lambda a, b: torch.cat((pooled(a), averaged_of(b)), 2),
        10,
        4,
        "0 max 2/2 | 1",
    ),
    "pooled together": (
        lambda a, b: pooled(torch.cat((a, b), 2)),
        10,
        4,
        "max 2/2 of 0 | 1",
    ),
    "repeated": (lambda a, b: b.repeat(1, 1, 2, 1, 1), 12, 8, "1 | 1"),
    "one channel for all": (
        lambda a, b: b[:, :, :1].expand(-1, -1, 3, -1, -1),
        3,
        8,
        "1[0:1] | 1[0:1] | 1[0:1]",
    ),
    "shuffled channels": (
        lambda a, b: b.unflatten(2, (2, 3)).transpose(2, 3).flatten(2, 3),
        6,
        8,
        "1[0:1] | 1[3:4] | 1[1:2] | 1[4:5] | 1[2:3] | 1[5:6]",
    ),
    "with zeros": (lambda a, b: torch.cat((b, torch.zeros_like(a)), 2), 10, 8, "1 | 4 zeros"),
    "of the step before": (lambda a, b: later(b), 6, 8, "1 of 1 before"),
    "now and before": (lambda a, b: torch.cat((b, later(b)), 2), 12, 8, "1 | 1 of 1 before"),
    "now plus before": (lambda a, b: b + later(b), 6, 8, "1 + 1 of 1 before"),
    "pyramid of pools": (
        lambda a, b: torch.cat(
            (pooled(b), pooled(pooled(b)).repeat_interleave(2, 3).repeat_interleave(2, 4)), 2
        ),
        12,
        4,
        "1 | 1 max 2/2[0:6, 0:2 x2, 0:2 x2]",
    ),
    "channels last and back": (
        lambda a, b: torch.cat((a.movedim(2, -1), b.movedim(2, -1)), -1).movedim(-1, 2),
        10,
        8,
        "0 | 1",
    ),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_between_layers(case: str, tmp_path: Path) -> None:
    """What is written between layers comes out as the operand of the third, exactly."""
    between, channels, side, expected = BETWEEN[case]
    job = recorded(Two(between, channels, side), events(2, 8, 8), tmp_path)
    assert reads(job.layers[2]) == expected
