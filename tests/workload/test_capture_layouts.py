"""Where a network keeps its steps: any axis, folded either way, swapped on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tlm.errors import WorkloadError
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.test_capture_manners import LEAKY, Leaky  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402

T = 4


class BatchFirst(Leaky):
    """[B, T, ...]."""

    def forward(self, currents: Any) -> Any:
        """Spikes of the same shape."""
        return super().forward(currents.transpose(0, 1)).transpose(0, 1)


class Folded(Leaky):
    """[T B, ...], step after step."""

    def forward(self, currents: Any) -> Any:
        """Spikes of the same shape."""
        return super().forward(currents.unflatten(0, (T, -1))).flatten(0, 1)


class FoldedBatchFirst(Leaky):
    """[B T, ...], sample after sample."""

    def forward(self, currents: Any) -> Any:
        """Spikes of the same shape."""
        return (
            super()
            .forward(currents.unflatten(0, (-1, T)).transpose(0, 1))
            .transpose(0, 1)
            .flatten(0, 1)
        )


class Net(nn.Module):
    """Two convolutions with norms, pooled, and a read-out; how time lies is up to ``kind``."""

    def __init__(self, kind: type[Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.lif1, self.lif2, self.out = kind(), kind(), nn.Linear(16, 5)


def batch_first(net: Net, inputs: Any) -> Any:
    """[B, T, ...] all the way, folded sample by sample."""

    def over(layers: Any, x: Any) -> Any:
        return layers(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    x = net.lif1(over(nn.Sequential(net.conv1, net.norm1, nn.MaxPool2d(2)), inputs))
    x = net.lif2(over(nn.Sequential(net.conv2, net.norm2), x))
    return net.out(over(nn.MaxPool2d(2), x).flatten(2)).mean(1)


def swapped(net: Net, inputs: Any) -> Any:
    """Layers folded sample by sample, neurons that want time first."""

    def over(layers: Any, x: Any) -> Any:  # [B, T] -> [T, B]
        return layers(x.flatten(0, 1)).unflatten(0, x.shape[:2]).transpose(0, 1)

    x = net.lif1(over(nn.Sequential(net.conv1, net.norm1, nn.MaxPool2d(2)), inputs))
    x = net.lif2(over(nn.Sequential(net.conv2, net.norm2), x.transpose(0, 1)))
    return net.out(F.max_pool2d(x.flatten(0, 1), 2).flatten(1).unflatten(0, (T, -1))).mean(0)


def folded(net: Net, inputs: Any) -> Any:
    """Folded step by step from first to last."""
    x = net.lif1(F.max_pool2d(net.norm1(net.conv1(inputs.transpose(0, 1).flatten(0, 1))), 2))
    x = net.lif2(net.norm2(net.conv2(x)))
    return net.out(F.max_pool2d(x, 2).flatten(1)).unflatten(0, (T, -1)).mean(0)


def folded_batch_first(net: Net, inputs: Any) -> Any:
    """Folded sample by sample from first to last."""
    x = net.lif1(F.max_pool2d(net.norm1(net.conv1(inputs.flatten(0, 1))), 2))
    x = net.lif2(net.norm2(net.conv2(x)))
    return net.out(F.max_pool2d(x, 2).flatten(1)).unflatten(0, (-1, T)).mean(1)


LAYOUTS: dict[str, tuple[type[Any], Callable[[Net, Any], Any], int]] = {
    "batch first": (BatchFirst, batch_first, 1),
    "swapped": (Leaky, swapped, 0),
    "folded": (Folded, folded, 0),
    "folded, batch first": (FoldedBatchFirst, folded_batch_first, 1),
}


def record(layout: str, batch: int, **options: Any) -> Any:
    """Record one iteration of events [B, T, 2, 8, 8]."""
    kind, forward, time_axis = LAYOUTS[layout]
    net = Net(kind)
    events = torch.rand(batch, T, 2, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.3
    cap = Capture(
        net, steps=T, neurons={kind: LEAKY}, **{"time_axis": time_axis, "level": "exact", **options}
    )
    with cap.at(0):
        F.cross_entropy(forward(net, events.float()), torch.arange(batch) % 5).backward()
    return cap, events.numpy()


@pytest.mark.parametrize("batch", [3, T, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_followed(layout: str, batch: int, tmp_path: Path) -> None:
    """As many samples as steps make no difference."""
    cap, events = record(layout, batch)
    job = cap.save(tmp_path / "job.h5")
    assert (job.load(0).inputs == events.swapaxes(0, 1)).all()
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    other = "folded" if layout == "batch first" else "batch first"
    same = record(other, batch)[0].save(tmp_path / "other.h5")
    for ours, theirs in zip(job.load(0).spikes, same.load(0).spikes, strict=True):
        assert np.mean(ours != theirs) < 0.01


def test_the_other_axis_is_told() -> None:
    """Where the sizes tell."""
    with pytest.raises(WorkloadError, match=r"lif1: .*other axis: Capture\(\.\.\., time_axis=1\)"):
        record("batch first", 3, time_axis=0)
    with pytest.raises(WorkloadError, match="time_axis: expected 0 for"):
        record("batch first", 3, time_axis=2)
