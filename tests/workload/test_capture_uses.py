"""One neuron module for several layers is recorded as a module for each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.currents import AndNotBlock, MembraneBlock, ResNet, SpikingBlock  # noqa: E402
from tests.workload.nets.parts import (  # noqa: E402
    CLASSES,
    LIF,
    B,
    T,
    Triangle,
    events,
    recorded,
)
from tlm.errors import WorkloadError  # noqa: E402
from tlm.workload import Workload  # noqa: E402
from tlm.workload.capture import Capture, declare  # noqa: E402


def shared(net: Any) -> Any:
    """The network with one LIF module in all places."""
    neuron = LIF()
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, LIF):
                setattr(module, name, neuron)
    return net


def same(left: Workload, right: Workload) -> bool:
    """Whether two jobs have the same layers, spikes and gradients."""
    a, b = left.load(0), right.load(0)
    pairs = zip((*a.spikes, *a.dU, *a.dY), (*b.spikes, *b.dU, *b.dY), strict=True)
    shapes = [[(each.in_shape, each.shortcuts) for each in job.layers] for job in (left, right)]
    return shapes[0] == shapes[1] and all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize("block", [SpikingBlock, MembraneBlock, AndNotBlock])
def test_a_residual_network_with_one_neuron_module(block: Any, tmp_path: Path) -> None:
    """Layer for layer what the network with a module for each records."""

    def job(change: Callable[[Any], Any], name: str) -> Workload:
        torch.manual_seed(0)
        folder = tmp_path / name
        folder.mkdir()
        return recorded(change(ResNet(block, (2, 1))), events(2, 8, 8), folder)

    assert same(job(shared, "shared"), job(lambda net: net, "apart"))


class Explicit(nn.Module):
    """One step of a neuron whose potential its caller keeps."""

    def forward(self, current: Any, membrane: Any) -> Any:
        """Spikes, and the potential after them."""
        charged = 0.5 * membrane + current
        spike = Triangle.apply(charged - 1)
        return spike, charged * (1 - spike.detach())


class Kept(nn.Module):
    """One step of a neuron that keeps its potential: of all layers that it serves."""

    membrane: Any = 0.0

    def forward(self, current: Any) -> Any:
        """Spikes."""
        charged = 0.5 * self.membrane + current
        spike = Triangle.apply(charged - 1)
        self.membrane = charged * (1 - spike.detach())
        return spike


class ByStep(nn.Module):
    """Two layers, all of a step before the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(12, 16), nn.Linear(16, CLASSES)])
        self.neuron = Explicit()

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        states, outputs = [torch.zeros(()), torch.zeros(())], []
        for spikes in frames:
            for at, layer in enumerate(self.layers):
                spikes, states[at] = self.neuron(layer(spikes), states[at])
            outputs.append(spikes)
        return torch.stack(outputs)


class ByLayer(ByStep):
    """Two layers, all steps of one before the next."""

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        for layer in self.layers:
            state, outputs = torch.zeros(()), []
            for spikes in frames:
                spikes, state = self.neuron(layer(spikes), state)
                outputs.append(spikes)
            frames = torch.stack(outputs)
        return frames


class Leaking(ByStep):
    """Two layers whose neurons share their potential."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(12, CLASSES), nn.Linear(CLASSES, CLASSES)])
        self.neuron = Kept()

    def forward(self, frames: Any) -> Any:
        """[T, B, CLASSES]."""
        return torch.stack(
            [self.neuron(self.layers[1](self.neuron(self.layers[0](each)))) for each in frames]
        )


def capture_of(net: Any) -> Capture:
    """A capture of one iteration of the network."""
    spike = declare(spike=Triangle.apply, decay=0.5)
    cap = Capture(net, steps=T, neurons={Explicit: spike, Kept: spike})
    torch.manual_seed(1)
    frames = (torch.rand(T, B, 12) < 0.5).float()
    with cap.at(0):
        F.cross_entropy(net(frames).mean(0), torch.arange(B)).backward()
    return cap


@pytest.mark.parametrize("kind", [ByStep, ByLayer])
def test_a_potential_kept_outside(kind: Any, tmp_path: Path) -> None:
    """Calls are told apart by what they read, whichever loop is the outer one."""
    torch.manual_seed(0)
    net = kind()
    with torch.no_grad():
        for layer in net.layers:
            layer.weight.mul_(3)
    job = capture_of(net).save(tmp_path / "job.h5", level="exact")
    assert [layer.in_shape[0] for layer in job.layers] == [12, 16]
    assert all(layer.neuron for layer in job.layers)


def test_a_shared_potential_is_refused() -> None:
    """Layers that leak into each other are no layers of this model."""
    torch.manual_seed(0)
    with pytest.raises(WorkloadError, match=r"is one neuron module behind layers\.0 and layers\.1"):
        capture_of(Leaking())
