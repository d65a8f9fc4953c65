"""Networks as the tutorials and papers of SNN libraries write them, with their own neurons."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Tutorial5(nn.Module):
    """snnTorch tutorial 5: 784-1000-10 on static digits, loss on membrane potentials."""

    def __init__(self, inputs: int = 784, hidden: int = 1000) -> None:
        import snntorch

        super().__init__()
        self.fc1, self.lif1 = nn.Linear(inputs, hidden), snntorch.Leaky(beta=0.95)
        self.fc2, self.lif2 = nn.Linear(hidden, 10), snntorch.Leaky(beta=0.95)

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, 1, H, W] -> membrane potentials [T, B, 10]."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        potentials = []
        for frame in frames:
            spk1, mem1 = self.lif1(self.fc1(frame.flatten(1)), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            potentials.append(mem2)
        return torch.stack(potentials)


class PLIFNet(nn.Module):
    """Fang et al. for N-MNIST: two convolutions, two linear layers, a vote; without dropout."""

    def __init__(self, side: int = 34, width: int = 128, hidden: int = 2048) -> None:
        from spikingjelly.activation_based import layer
        from spikingjelly.activation_based.neuron import ParametricLIFNode
        from spikingjelly.activation_based.surrogate import ATan

        def neurons() -> Any:
            return ParametricLIFNode(
                init_tau=2.0, surrogate_function=ATan(), detach_reset=True, step_mode="m"
            )

        super().__init__()
        blocks: list[Any] = []
        for channels in (2, width):
            blocks += [
                layer.Conv2d(channels, width, 3, padding=1, bias=False, step_mode="m"),
                layer.BatchNorm2d(width, step_mode="m"),
                neurons(),
                layer.MaxPool2d(2, 2, step_mode="m"),
            ]
        self.net = nn.Sequential(
            *blocks, layer.Flatten(step_mode="m"),
            layer.Linear(width * (side // 4) ** 2, hidden, bias=False, step_mode="m"), neurons(),
            layer.Linear(hidden, 100, bias=False, step_mode="m"), neurons(),
            layer.VotingLayer(10, step_mode="m"),
        )  # fmt: skip

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, 2, H, W] -> votes [T, B, 10]."""
        from spikingjelly.activation_based.functional import reset_net

        reset_net(self)
        return self.net(frames)


def loss_at_each_step(outputs: Any, labels: Any) -> Any:
    """The sum over all steps of the cross-entropy."""
    return torch.stack([F.cross_entropy(output, labels) for output in outputs]).sum()


class Tutorial6(nn.Module):
    """snnTorch tutorial 6: 12C5-MP2-64C5-MP2-1024FC10, currents pooled before the neurons."""

    def __init__(self) -> None:
        import snntorch
        from snntorch import surrogate

        super().__init__()

        def neurons() -> Any:
            return snntorch.Leaky(beta=0.5, spike_grad=surrogate.fast_sigmoid(slope=25))

        self.conv1, self.lif1 = nn.Conv2d(1, 12, 5), neurons()
        self.conv2, self.lif2 = nn.Conv2d(12, 64, 5), neurons()
        self.fc1, self.lif3 = nn.Linear(64 * 4 * 4, 10), neurons()

    def forward(self, frames: Any) -> Any:
        """Frames [T, B, 1, 28, 28] -> spikes [T, B, 10]."""
        mem1, mem2, mem3 = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif3))
        spikes = []
        for frame in frames:
            spk1, mem1 = self.lif1(F.max_pool2d(self.conv1(frame), 2), mem1)
            spk2, mem2 = self.lif2(F.max_pool2d(self.conv2(spk1), 2), mem2)
            spk3, mem3 = self.lif3(self.fc1(spk2.flatten(1)), mem3)
            spikes.append(spk3)
        return torch.stack(spikes)


class Tutorial7(nn.Module):
    """snnTorch tutorial 7: 12C5-MP2-32C5-MP2-800FC10 on N-MNIST, neurons that keep their state."""

    def __init__(self) -> None:
        import snntorch
        from snntorch import surrogate

        super().__init__()

        def neurons(output: bool = False) -> Any:
            return snntorch.Leaky(
                beta=0.5, spike_grad=surrogate.atan(), init_hidden=True, output=output
            )

        self.net = nn.Sequential(
            nn.Conv2d(2, 12, 5), nn.MaxPool2d(2), neurons(),
            nn.Conv2d(12, 32, 5), nn.MaxPool2d(2), neurons(),
            nn.Flatten(), nn.Linear(32 * 5 * 5, 10), neurons(output=True),
        )  # fmt: skip

    def forward(self, frames: Any) -> Any:
        """Event frames [T, B, 2, 34, 34] -> spikes [T, B, 10]."""
        from snntorch import utils

        utils.reset(self.net)
        return torch.stack([self.net(frame)[0] for frame in frames])


def rate_loss(spikes: Any, labels: Any) -> Any:
    """snnTorch's ``ce_rate_loss``: the mean cross-entropy of the spikes of each step."""
    from snntorch import functional

    return functional.ce_rate_loss()(spikes, labels)


def count_loss(spikes: Any, labels: Any) -> Any:
    """snnTorch's ``mse_count_loss``: the right class fires in 80 % of the steps, others in 20 %."""
    from snntorch import functional

    return functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(spikes, labels)


class NorseConvNet(nn.Module):
    """Norse's ConvNet4: c32k5-P-c64k5-P-1024, current-based LIF cells, a leaky read-out.

    The package's currents of the second convolution are times 10: here its weights are loud.
    """

    def __init__(self) -> None:
        from norse.torch import LICell, LIFCell, LIFParameters

        super().__init__()

        def cell(threshold: float) -> Any:
            return LIFCell(
                p=LIFParameters(
                    method="super", alpha=torch.tensor(100.0), v_th=torch.tensor(threshold)
                )
            )

        self.conv1, self.lif0 = nn.Conv2d(1, 32, 5), cell(0.7)
        self.conv2, self.lif1 = nn.Conv2d(32, 64, 5), cell(0.7)
        self.fc1, self.lif2 = nn.Linear(4 * 4 * 64, 1024), cell(1.0)
        self.fc2, self.out = nn.Linear(1024, 10, bias=False), LICell()

    def forward(self, frames: Any) -> Any:
        """Spikes [T, B, 1, 28, 28] -> membrane potentials [T, B, 10]."""
        s0 = s1 = s2 = so = None
        potentials = []
        for frame in frames:
            z, s0 = self.lif0(self.conv1(frame), s0)
            z, s1 = self.lif1(self.conv2(F.max_pool2d(z, 2)), s1)
            z, s2 = self.lif2(self.fc1(F.max_pool2d(z, 2).flatten(1)), s2)
            v, so = self.out(self.fc2(z), so)
            potentials.append(v)
        return torch.stack(potentials)


def last_potential_loss(potentials: Any, labels: Any) -> Any:
    """Cross-entropy of the largest potential over time, as Norse's task for MNIST takes it."""
    return F.cross_entropy(potentials.amax(0), labels)


class SinabsNet(nn.Module):
    """sinabs' network for N-MNIST: convolutions without bias, IAF neurons that fold time."""

    def __init__(self, batch: int) -> None:
        from sinabs.activation import SingleSpike
        from sinabs.layers import IAFSqueeze

        super().__init__()

        def neurons() -> Any:
            return IAFSqueeze(batch_size=batch, spike_fn=SingleSpike, min_v_mem=None)

        self.net = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1, bias=False), neurons(), nn.AvgPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1, bias=False), neurons(), nn.AvgPool2d(2),
            nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False), neurons(), nn.Flatten(),
            nn.Linear(16 * 4 * 4, 10, bias=False), neurons(),
        )  # fmt: skip

    def forward(self, frames: Any) -> Any:
        """Event frames [T, B, 2, 34, 34] -> spikes [T, B, 10]."""
        import sinabs

        sinabs.reset_states(self.net)
        steps, batch = frames.shape[:2]
        spikes = self.net(frames.transpose(0, 1).flatten(0, 1))
        return spikes.unflatten(0, (batch, steps)).transpose(0, 1)
