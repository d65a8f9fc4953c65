"""Networks of the literature as shapes: ImageNet's three, and SpikingJelly's CIFAR10-DVS VGG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from analysis.gpu.network import INPUT, Network, Optimizer, Pooling, Stage
from tlm.errors import ConfigError
from tlm.workload.model import Shape3


@dataclass
class _Shapes:
    """Layers appended one by one; ``sources`` is what the next one reads."""

    shape: Shape3
    stages: list[Stage] = field(default_factory=list)
    sources: tuple[int, ...] = (INPUT,)

    def conv(
        self,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        pool: tuple[Pooling, int] | None = None,
        *,
        neuron: bool = True,
    ) -> None:
        """Convolution with same padding, BN and neurons, then pooling by an integer factor."""
        height, width = (-(-side // stride) for side in self.shape[1:])
        kind, by = (None, 1) if pool is None else pool
        pooled = (channels, height // by, width // by)
        stage = Stage(
            name=f"conv{len(self.stages)}",
            kind="conv",
            in_shape=self.shape,
            out_shape=(channels, height, width),
            pooled_shape=pooled,
            kernel=(kernel, kernel),
            sources=self.sources,
            pool=kind,
            norm=True,
            neuron=neuron,
        )
        self._append(stage)

    def linear(self, outputs: int, pool: Pooling | None = None, *, neuron: bool = True) -> None:
        """Linear layer on the flattened input, or on its channels' means with ``pool``."""
        channels, height, width = self.shape
        inputs = channels if pool is not None else channels * height * width
        stage = Stage(
            name=f"fc{len(self.stages)}",
            kind="linear",
            in_shape=(inputs, 1, 1),
            out_shape=(outputs, 1, 1),
            pooled_shape=(outputs, 1, 1),
            kernel=(1, 1),
            sources=self.sources,
            input_pool=pool,
            unpooled_shape=self.shape,
            neuron=neuron,
        )
        self._append(stage)

    def block(self, widths: tuple[tuple[int, int], ...], stride: int) -> None:
        """Residual block of (channels, kernel) convolutions; spikes are added (SEW, ADD).

        The stride is the 3 x 3 convolution's; a 1 x 1 convolution fits the shortcut's shape.
        """
        shortcut, shape = self.sources, self.shape
        first = next(place for place, (_, kernel) in enumerate(widths) if kernel == 3)
        for place, (channels, kernel) in enumerate(widths):
            self.conv(channels, kernel, stride if place == first else 1)
        main, fitted = self.sources, self.shape
        if shape != fitted:
            self.sources, self.shape = shortcut, shape
            self.conv(fitted[0], 1, stride)
            shortcut = self.sources
        self.sources, self.shape = (*main, *shortcut), fitted

    def _append(self, stage: Stage) -> None:
        self.sources, self.shape = (len(self.stages),), stage.pooled_shape
        self.stages.append(stage)


def _resnet(blocks: tuple[tuple[int, int], ...], bottleneck: bool) -> tuple[Stage, ...]:
    """He et al., arXiv 1512.03385, table 1; spiking with ADD blocks (Fang, arXiv 2102.04159)."""
    net = _Shapes((3, 224, 224))
    net.conv(64, 7, 2, ("max", 2))
    for group, (channels, count) in enumerate(blocks):
        for place in range(count):
            stride = 2 if group > 0 and place == 0 else 1
            if bottleneck:
                net.block(((channels, 1), (channels, 3), (4 * channels, 1)), stride)
            else:
                net.block(((channels, 3), (channels, 3)), stride)
    net.linear(1000, "average", neuron=False)
    return tuple(net.stages)


def _resnet18() -> tuple[Stage, ...]:
    return _resnet(((64, 2), (128, 2), (256, 2), (512, 2)), bottleneck=False)


def _resnet50() -> tuple[Stage, ...]:
    return _resnet(((64, 3), (128, 4), (256, 6), (512, 3)), bottleneck=True)


def _vgg16() -> tuple[Stage, ...]:
    """Simonyan and Zisserman, arXiv 1409.1556, table 1 D, with one linear layer behind.

    NeuroMC's S-VGG16 counts 14.7 M convolution weights; its linear layers are not stated.
    """
    net = _Shapes((3, 224, 224))
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for place in range(count):
            net.conv(channels, pool=("max", 2) if place == count - 1 else None)
    net.linear(1000, "average", neuron=False)
    return tuple(net.stages)


def _cifar10dvs_vgg() -> tuple[Stage, ...]:
    """SpikingJelly's CIFAR10DVSVGG (after Deng et al., TET): eight convolutions, average pools."""
    net = _Shapes((2, 48, 48))
    for channels, pooled in (
        (64, False),
        (128, True),
        (256, False),
        (256, True),
        (512, False),
        (512, True),
        (512, False),
        (512, True),
    ):
        net.conv(channels, pool=("average", 2) if pooled else None)
    net.linear(10, neuron=False)
    return tuple(net.stages)


_NETWORKS: dict[str, Callable[[], tuple[Stage, ...]]] = {
    "s-resnet18": _resnet18,
    "s-vgg16": _vgg16,
    "s-resnet50": _resnet50,
}


def network_names() -> list[str]:
    """Networks that are known by their shapes alone."""
    return list(_NETWORKS)


def imagenet(name: str, steps: int = 4, batch: int = 16) -> Network:
    """One of NeuroMC's three ImageNet networks (T = 4, B = 16 unless given), trained with SGD.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in _NETWORKS:
        raise ConfigError(f"network {name!r} is unknown; there is {', '.join(_NETWORKS)}")
    return Network(name, _NETWORKS[name](), steps, batch, "sgd")


def cifar10dvs_vgg(batch: int, steps: int = 10, optimizer: Optimizer = "sgd") -> Network:
    """SpikingJelly's benchmark network on frames of 48 x 48 events, of which every step differs."""
    return Network("CIFAR10DVSVGG", _cifar10dvs_vgg(), steps, batch, optimizer, direct=False)
