"""Networks whose currents add up before neurons, after the papers that named them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.workload.nets.parts import CLASSES, LIF, Over, StepLIF, T, conv, linear


def normed(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Any:
    """A convolution without bias and a norm over all steps."""
    return Over(conv(inputs, outputs, kernel, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class Head(nn.Module):
    """Average over all positions, ``hidden`` neurons if any, then a linear read-out."""

    def __init__(self, channels: int, hidden: int = 0) -> None:
        super().__init__()
        self.pool = Over(nn.AdaptiveAvgPool2d(1))
        self.hidden = nn.Sequential(linear(channels, hidden), LIF()) if hidden else nn.Identity()
        self.fc = linear(hidden or channels, CLASSES)

    def forward(self, spikes: Any) -> Any:
        """[T, B, classes]."""
        return self.fc(self.hidden(self.pool(spikes).flatten(2)))


class CSNN(nn.Module):
    """Two convolutions and two linear layers, as small networks for MNIST are."""

    def __init__(self, width: int = 4, hidden: int = 12, side: int = 8) -> None:
        super().__init__()
        self.c1, self.c2 = normed(1, width), normed(width, width)
        self.pool, self.n = Over(nn.MaxPool2d(2)), nn.ModuleList(LIF() for _ in range(4))
        self.f1 = linear(width * (side // 4) ** 2, hidden)
        self.f2 = linear(hidden, CLASSES)

    def forward(self, events: Any) -> Any:
        """Spikes of the last layer."""
        spikes = self.pool(self.n[0](self.c1(events)))
        spikes = self.pool(self.n[1](self.c2(spikes)))
        return self.n[3](self.f2(self.n[2](self.f1(spikes.flatten(2)))))


class SpikingBlock(nn.Module):
    """Spikes of the block's input are added to the current of its second neurons.

    As in Hu et al., arXiv 1805.01352, and with tdBN in Zheng et al., arXiv 2011.05280.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.a, self.b = normed(inputs, outputs, stride=stride), normed(outputs, outputs)
        changes = stride > 1 or inputs != outputs
        self.shortcut = normed(inputs, outputs, 1, stride) if changes else nn.Identity()
        self.n, self.m = LIF(), LIF()

    def forward(self, spikes: Any) -> Any:
        """Spikes."""
        return self.m(self.b(self.n(self.a(spikes))) + self.shortcut(spikes))


class InPlaceBlock(SpikingBlock):
    """The sum is made in place, as in SpikingJelly's ``spiking_resnet``."""

    def forward(self, spikes: Any) -> Any:
        """Spikes."""
        current = self.b.modules_of_step(self.n(self.a(spikes)).flatten(0, 1))
        current += self.shortcut(spikes).flatten(0, 1)
        return self.m(current.unflatten(0, spikes.shape[:2]))


class MembraneBlock(SpikingBlock):
    """Currents are added to currents (MS-ResNet, Hu et al., arXiv 2112.08954)."""

    def forward(self, currents: Any) -> Any:
        """Currents."""
        return self.b(self.m(self.a(self.n(currents)))) + self.shortcut(currents)


class SpikeElementBlock(SpikingBlock):
    """Spikes are added to spikes (SEW-ResNet with ADD, Fang et al., arXiv 2102.04159)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, stride)
        if not isinstance(self.shortcut, nn.Identity):
            self.shortcut = nn.Sequential(self.shortcut, LIF())

    def forward(self, spikes: Any) -> Any:
        """Small whole numbers."""
        return self.joined(self.shortcut(spikes), self.m(self.b(self.n(self.a(spikes)))))

    def joined(self, shortcut: Any, spikes: Any) -> Any:
        """The spike-element-wise function."""
        return shortcut + spikes


class AndBlock(SpikeElementBlock):
    """Spikes pass where both fire (SEW-ResNet with AND).

    Blocks begin near the identity, as the paper asks for: their last neurons fire most of the time.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, stride)
        nn.init.constant_(self.b.modules_of_step[1].bias, 1.0)

    def joined(self, shortcut: Any, spikes: Any) -> Any:
        """Spikes."""
        return shortcut * spikes


class AndNotBlock(SpikeElementBlock):
    """Spikes of the shortcut pass where the block does not fire (SEW-ResNet with IAND)."""

    def joined(self, shortcut: Any, spikes: Any) -> Any:
        """Spikes."""
        return shortcut * (1.0 - spikes)


class ResNet(nn.Module):
    """A stem, blocks in stages that halve, and a read-out."""

    def __init__(
        self,
        block: Any,
        stages: tuple[int, ...],
        width: int = 4,
        inputs: int = 2,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        spiking = block is not MembraneBlock
        self.stem = nn.Sequential(normed(inputs, width), *([LIF()] if spiking else []))
        blocks, channels = [], width
        for stage, count in enumerate(stages):
            for at in range(count):
                stride = 2 if stage and not at else 1
                blocks.append(block(channels, width * 2**stage, stride))
                channels = width * 2**stage
        last = [] if spiking else [LIF()]
        self.blocks, self.head = nn.Sequential(*blocks, *last), Head(channels, hidden)

    def forward(self, events: Any) -> Any:
        """[T, B, classes]."""
        return self.head(self.blocks(self.stem(events)))


class BNTT(nn.Module):
    """VGG-like, step by step, a norm for each step (Kim and Panda, arXiv 2010.01729)."""

    def __init__(
        self,
        widths: tuple[int, ...] = (4, 4, 8, 8, 8, 8, 8),
        inputs: int = 2,
        hidden: int = 12,
        area: int = 1,
    ) -> None:
        super().__init__()
        sizes = zip((inputs, *widths), widths, strict=False)
        self.convs = nn.ModuleList(conv(a, b, bias=False) for a, b in sizes)
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(width) for _ in range(T)) for width in widths
        )
        for norm in (norm for norms in self.norms for norm in norms):
            norm.bias = None
            nn.init.constant_(norm.weight, 2.0)
        self.neurons = nn.ModuleList(StepLIF() for _ in (*widths, 0))
        self.pool = nn.AvgPool2d(2)
        self.fc1, self.fc2 = linear(widths[-1] * area, hidden), linear(hidden, CLASSES)

    def forward(self, events: Any) -> Any:
        """[T, B, classes]."""
        for neuron in self.neurons:
            neuron.start()
        return torch.stack([self.step(number, frame) for number, frame in enumerate(events)])

    def step(self, number: int, spikes: Any) -> Any:
        """One step's outputs."""
        for at, (product, norms) in enumerate(zip(self.convs, self.norms, strict=True)):
            spikes = self.neurons[at](norms[number](product(spikes)))
            if at in (1, 3, 6):
                spikes = self.pool(spikes)
        return self.fc2(self.neurons[-1](self.fc1(spikes.flatten(1))))
