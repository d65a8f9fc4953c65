"""Live: train on digits in three frameworks, record, verify, simulate (`pytest -m live`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlm.running.runner import run_job
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")
sklearn = pytest.importorskip("sklearn.datasets", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tlm.workload.capture import Capture, declare  # noqa: E402

pytestmark = pytest.mark.live

T, BATCH, EPOCHS = 4, 32, 4


def spikingjelly() -> tuple[Any, Callable[[Any], Any], dict[Any, Any]]:
    """Multi-step LIF with SpikingJelly's default surrogate."""
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron

    net = nn.Sequential(
        layer.Conv2d(1, 8, 3, padding=1, bias=False),
        neuron.LIFNode(),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(128, 10, bias=False),
        neuron.LIFNode(),
    )
    functional.set_step_mode(net, "m")

    def forward(images: Any) -> Any:
        functional.reset_net(net)
        return net(images.expand(T, *images.shape)).mean(0)

    return net, forward, {}


class Leaky(nn.Module):
    """snnTorch neurons in a time loop."""

    def __init__(self) -> None:
        super().__init__()
        snn = pytest.importorskip("snntorch")
        self.conv, self.fc = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(128, 10)
        self.lif1, self.lif2 = snn.Leaky(beta=0.8), snn.Leaky(beta=0.8)

    def forward(self, images: Any) -> Any:
        """Mean output spikes."""
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for _ in range(T):
            spikes, mem1 = self.lif1(self.conv(images), mem1)
            spikes, mem2 = self.lif2(self.fc(F.max_pool2d(spikes, 2).flatten(1)), mem2)
            out.append(spikes)
        return torch.stack(out).mean(0)


def snntorch() -> tuple[Any, Callable[[Any], Any], dict[Any, Any]]:
    """Leaky neurons, reset by subtraction a step later."""
    net = Leaky()
    return net, net, {}


class Step(torch.autograd.Function):
    """A step with SuperSpike's derivative, slope 2."""

    @staticmethod
    def forward(ctx: Any, distance: Any) -> Any:
        """At the threshold and above."""
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """1 / (1 + 2 |x|)^2."""
        (distance,) = ctx.saved_tensors
        return gradient / (1 + 2 * distance.abs()) ** 2


class Integrate(nn.Module):
    """Decay 0.7, soft reset that is not detached."""

    def forward(self, currents: Any) -> Any:
        """Spikes of currents [T, B, ...]."""
        membrane, out = torch.zeros_like(currents[0]), []
        for current in currents:
            charged = 0.7 * membrane + current
            out.append(Step.apply(charged - 1))
            membrane = charged - out[-1]
        return torch.stack(out)


class Plain(nn.Module):
    """A network of plain autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(128, 10)
        self.first, self.second = Integrate(), Integrate()

    def forward(self, images: Any) -> Any:
        """Mean output spikes."""
        current = self.conv(images)
        spikes = self.first(current.expand(T, *current.shape))
        pooled = F.max_pool2d(spikes.flatten(0, 1), 2).flatten(1)
        return self.second(self.fc(pooled).unflatten(0, (T, -1))).mean(0)


def plain() -> tuple[Any, Callable[[Any], Any], dict[Any, Any]]:
    """A declared neuron."""
    net = Plain()
    neuron = declare(spike=Step.apply, decay=0.7, reset="soft", detach_reset=False)
    return net, net, {Integrate: neuron}


@pytest.mark.parametrize("framework", [spikingjelly, snntorch, plain])
def test_train_record_verify_simulate(framework: Any, tmp_path: Path) -> None:
    """Start and end of a training run that learns: rebuilt from the file, then simulated."""
    torch.manual_seed(0)
    net, forward, neurons = framework()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.mul_(4)  # to fire from the start
    digits = sklearn.load_digits()
    images = torch.from_numpy(digits.images / 16).float().unsqueeze(1)
    labels = torch.from_numpy(digits.target)
    batches = torch.randperm(1500)[: 1500 // BATCH * BATCH].reshape(-1, BATCH).repeat(EPOCHS, 1)
    cap = Capture(net, steps=T, neurons=neurons)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for iteration, batch in enumerate(batches):
        optimizer.zero_grad()
        if iteration in (0, len(batches) - 1):
            with cap.at(iteration):
                F.cross_entropy(forward(images[batch]), labels[batch]).backward()
        else:
            F.cross_entropy(forward(images[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = (forward(images[1500:]).argmax(1) == labels[1500:]).float().mean().item()
    assert right > 0.75
    job = cap.save(tmp_path / "digits.h5", level="exact", name="digits", accuracy=right)
    for position in range(2):
        assert all(agreement.holds() for agreement in check_recording(job, position))
    assert run_job(str(job.path), out=tmp_path / "run", trace="off").ok
