"""Dropouts between layers: what they kept is recorded, and rebuilds the iteration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.parts import (  # noqa: E402
    CLASSES,
    LIF,
    NEURONS,
    B,
    Over,
    StepLIF,
    T,
    conv,
    events,
    linear,
    recorded,
)
from tlm.errors import WorkloadError  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402


class Net(nn.Module):
    """Two convolutions and a read-out, with ``first`` before the second and ``last`` before it."""

    def __init__(self, first: Any, last: Any) -> None:
        super().__init__()
        self.a, self.b = Over(conv(2, 4)), Over(conv(4, 4))
        self.n, self.m, self.fc = LIF(), LIF(), linear(64, CLASSES)
        self.first, self.last, self.pool = first, last, Over(nn.MaxPool2d(2))

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        spikes = self.pool(self.m(self.b(self.first(self.n(self.a(frames))))))
        return self.fc(self.last(spikes.flatten(2)))


class SameAtEachStep(nn.Module):
    """One drawing for all steps, as networks of spikes often have it."""

    def forward(self, spikes: Any) -> Any:
        """[T, B, ...]."""
        return spikes * F.dropout(torch.ones_like(spikes[0]), 0.4, training=True)


@pytest.mark.parametrize(
    ("first", "last", "shares"),
    [
        (nn.Identity(), nn.Dropout(0.5), [0, 0, 0.5]),
        (Over(nn.Dropout2d(0.25)), nn.Dropout(0.2), [0, 0.25, 0.2]),
        (SameAtEachStep(), SameAtEachStep(), [0, 0.4, 0.4]),
        (nn.Dropout(0.0), nn.Dropout(0.5), [0, 0, 0.5]),
    ],
)
def test_what_a_dropout_kept_comes_back(
    first: Any, last: Any, shares: list[float], tmp_path: Path
) -> None:
    """The file rebuilds exactly, and says which share was dropped and what was kept."""
    torch.manual_seed(0)
    job = recorded(Net(first, last), events(2, 8, 8), tmp_path)
    assert [layer.dropout for layer in job.layers] == pytest.approx(shares)
    for at, kept in job.load(0).kept.items():
        assert kept.shape == (T, B, *job.layers[at].in_shape)
        assert kept.mean() == pytest.approx(1 - shares[at], abs=0.15)
        alike = bool((kept == kept[:1]).all())
        assert alike == isinstance(last, SameAtEachStep)


def test_step_by_step(tmp_path: Path) -> None:
    """Single-step code drops anew at each call."""

    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = linear(12, 24), linear(24, CLASSES)
            self.n, self.drop = StepLIF(), nn.Dropout(0.5)

        def forward(self, frames: Any) -> Any:
            return torch.stack([self.b(self.drop(self.n(self.a(each)))) for each in frames])

    torch.manual_seed(0)
    job = recorded(Steps(), events(12), tmp_path)
    kept = job.load(0).kept[1]
    assert kept.shape == (T, B, 24, 1, 1)
    assert not np.array_equal(kept[0], kept[1])


class BeforePool(Net):
    """A dropout in front of a pool."""

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        spikes = self.m(self.b(self.n(self.a(frames))))
        return self.fc(self.pool(self.last(spikes)).flatten(2))


class OnCurrents(Net):
    """A dropout of currents."""

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        spikes = self.m(self.last(self.b(self.n(self.a(frames)))))
        return self.fc(self.pool(spikes).flatten(2))


class OfAPart(Net):
    """A dropout of one of two terms."""

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        first = self.n(self.a(frames))
        return self.fc(self.pool(self.last(first) + self.m(self.b(first))).flatten(2))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (BeforePool, r"fc: it reads a pool of what a dropout has passed; put the dropout behind"),
        (OnCurrents, r"m: a dropout lies before neuron and not before a convolution"),
        (OfAPart, r"fc: it reads a pool of what a dropout|of which a part passes a dropout"),
    ],
)
def test_other_dropouts_are_refused_by_their_cause(kind: Any, cause: str) -> None:
    """One line names the place and what to do."""
    torch.manual_seed(0)
    net = kind(nn.Identity(), nn.Dropout(0.5))
    cap = Capture(net, steps=T, neurons=NEURONS)
    with pytest.raises(WorkloadError, match=cause), cap.at(0):
        F.cross_entropy(net(events(2, 8, 8)).mean(0), torch.arange(B)).backward()
