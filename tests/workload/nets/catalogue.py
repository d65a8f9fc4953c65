"""Public architectures of the field, at the sizes of their papers and small ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch.nn import functional as F

from tests.workload.nets import dense, frameworks, vgg
from tests.workload.nets.attention import Spikformer, SpikingJellySpikformer
from tests.workload.nets.currents import (
    BNTT,
    CSNN,
    AndBlock,
    AndNotBlock,
    MembraneBlock,
    ResNet,
    SpikeElementBlock,
    SpikingBlock,
)
from tests.workload.nets.parts import woken
from tests.workload.nets.recurrent import RecurrentSNN
from tests.workload.nets.spike_driven import SpikeDrivenTransformer
from tlm.workload.model import Level
from tlm.workload.surrogate import lif_neuron
from tlm.workload.training.detection.loss import box_loss
from tlm.workload.training.detection.network import Detector

Input = Literal["mnist", "mnist spikes", "nmnist", "cifar10", "cifar10 spikes", "boxes", "trains"]
Target = Literal["labels", "pixels", "boxes"]


@dataclass(frozen=True)
class Published:
    """An architecture: ``build`` makes it for an input [C, H, W] (or [C]) as published, or small.

    ``input`` is what it is trained on, ``shape`` and ``small`` are those of the published and of
    the small network; ``steps`` and ``batch`` those of a recording. ``loss`` takes what the
    network returns and the ``target``. ``needs`` are packages beside torch, ``level`` is the most
    that a file can keep: without a closed form of the surrogate no more than "value".
    """

    source: str
    input: Input
    shape: tuple[int, ...]
    small: tuple[int, ...]
    build: Callable[[bool], Any]
    steps: int = 4
    batch: int = 2
    loss: Callable[[Any, Any], Any] = lambda outputs, labels: F.cross_entropy(
        outputs.mean(0), labels
    )
    target: Target = "labels"
    time_axis: Literal[0, 1] = 0
    needs: tuple[str, ...] = ()
    level: Level = "exact"


TRIANGULAR = lif_neuron(surrogate="triangular", width=2.0)
_CIFAR, _NMNIST, _DIGIT = (3, 32, 32), (2, 34, 34), (1, 28, 28)
_VGG9 = (64, 64, vgg.POOL, 128, 128, vgg.POOL, 256, 256, 256, vgg.POOL)
_SMALL_VGG9 = (4, 4, vgg.POOL, 8, 8, vgg.POOL, 8, 8, 8, vgg.POOL)
_VGGSNN = (64, 128, vgg.POOL, 256, 256, vgg.POOL, 512, 512, vgg.POOL, 512, 512, vgg.POOL)
_SMALL_VGGSNN = (4, 4, vgg.POOL, 8, 8, vgg.POOL, 8, 8, vgg.POOL, 8, 8)


def _resnet(block: Any, stages: tuple[int, ...], width: int, hidden: int = 0) -> Any:
    def build(small: bool) -> Any:
        if small:
            return ResNet(block, stages, 4, 3, 8 if hidden else 0)
        return ResNet(block, stages, width, 3, hidden)

    return build


_RESNET18, _RESNET19 = (2, 2, 2, 2), (3, 3, 2)

PUBLISHED: dict[str, Published] = {
    "CSNN": Published(
        "SpikingJelly's convolutional SNN for MNIST", "mnist spikes", _DIGIT, (1, 8, 8),
        lambda small: CSNN(*((4, 12, 8) if small else (128, 2048, 28))),
    ),
    "PLIF net": Published(
        "Fang et al., arXiv 2007.05785", "nmnist", _NMNIST, (2, 8, 8),
        lambda small: woken(frameworks.PLIFNet(*((8, 4, 12) if small else (34, 128, 2048)))),
        steps=10, needs=("spikingjelly",),
    ),
    "Spiking-ResNet-18": Published(
        "Hu et al., arXiv 1805.01352", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(SpikingBlock, _RESNET18, 64),
    ),
    "MS-ResNet-18": Published(
        "Hu et al., arXiv 2112.08954", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(MembraneBlock, _RESNET18, 64),
    ),
    "SEW-ResNet-18 ADD": Published(
        "Fang et al., arXiv 2102.04159", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(SpikeElementBlock, _RESNET18, 64),
    ),
    "SEW-ResNet-18 AND": Published(
        "Fang et al., arXiv 2102.04159", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(AndBlock, _RESNET18, 64),
    ),
    "SEW-ResNet-18 IAND": Published(
        "Fang et al., arXiv 2102.04159", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(AndNotBlock, _RESNET18, 64),
    ),
    "tdBN ResNet-19": Published(
        "Zheng et al., arXiv 2011.05280", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(SpikingBlock, _RESNET19, 128, 256), steps=2,
    ),
    "TET ResNet-19": Published(
        "Deng et al., arXiv 2202.11946", "cifar10", _CIFAR, (3, 8, 8),
        _resnet(SpikingBlock, _RESNET19, 128, 256), steps=2, loss=vgg.tet_loss,
    ),
    "TET VGG": Published(
        "Deng et al., arXiv 2202.11946", "nmnist", _NMNIST, (2, 8, 8),
        lambda small: vgg.VGG(
            (2, 8, 8) if small else _NMNIST, _SMALL_VGGSNN if small else _VGGSNN,
            vgg.over_all_steps,
        ),
        loss=vgg.tet_loss,
    ),
    "Spikformer": Published(
        "Zhou et al., ICLR 2023, arXiv 2209.15425, 4-384", "cifar10", _CIFAR, (3, 16, 16),
        lambda small: Spikformer(*((3, 32, 2, 2) if small else (3, 384, 12, 4))),
    ),
    "SpikingJelly's Spikformer": Published(
        "spikingjelly.activation_based.model.spikformer, SpikingJelly 2.0", "cifar10", _CIFAR,
        (3, 16, 16),
        lambda small: SpikingJellySpikformer(
            *((16, 32, 2, 1) if small else (32, 384, 12, 4))
        ),
        needs=("spikingjelly",),
    ),
    "TEBN VGG-9": Published(
        "Duan et al., NeurIPS 2022", "cifar10", _CIFAR, (3, 8, 8),
        lambda small: vgg.VGG(
            (3, 8, 8) if small else _CIFAR, _SMALL_VGG9 if small else _VGG9,
            lambda channels: vgg.TEBN(channels, 4), 12 if small else 1024,
        ),
    ),
    "BNTT VGG-9": Published(
        "Kim and Panda, arXiv 2010.01729", "cifar10 spikes", _CIFAR, (3, 8, 8),
        lambda small: BNTT(
            *(((4, 4, 8, 8, 8, 8, 8), 3, 12, 1) if small
              else ((64, 64, 128, 128, 256, 256, 256), 3, 1024, 16))
        ),
    ),
    "Spike-driven Transformer 2-512": Published(
        "Yao et al., arXiv 2307.01694", "cifar10", _CIFAR, (3, 16, 16),
        lambda small: SpikeDrivenTransformer(3, *((16, 1, 2) if small else (512, 2, 8))),
    ),
    "Spiking U-Net": Published(
        "Ronneberger et al., arXiv 1505.04597, with LIF neurons", "nmnist", (2, 32, 32), (2, 8, 8),
        lambda small: dense.UNet(2, 4 if small else 32, 2 if small else 3, 2),
        loss=dense.pixel_loss, target="pixels",
    ),
    "SpikeFPN detector": Published(
        "Zhang et al., arXiv 2307.12900; Redmon and Farhadi, arXiv 1804.02767", "boxes",
        (2, 64, 64), _NMNIST,
        lambda small: Detector(2, 4 if small else 32, 10, TRIANGULAR, 4),
        loss=box_loss, target="boxes",
    ),
    "Recurrent SNN": Published(
        "Cramer et al., arXiv 1910.07407", "trains", (700,), (16,),
        lambda small: RecurrentSNN(*((16, 12, 20) if small else (700, 256, 20))),
        steps=20, batch=4,
    ),
    "snnTorch tutorial 5": Published(
        "Eshraghian et al., arXiv 2109.12894", "mnist", _DIGIT, (1, 8, 8),
        lambda small: woken(frameworks.Tutorial5(*((64, 12) if small else (784, 1000)))),
        steps=25, loss=frameworks.loss_at_each_step, needs=("snntorch",),
    ),
    "snnTorch tutorial 6": Published(
        "Eshraghian et al., arXiv 2109.12894", "mnist", _DIGIT, _DIGIT,
        lambda small: woken(frameworks.Tutorial6()), steps=8, loss=frameworks.rate_loss,
        needs=("snntorch",),
    ),
    "snnTorch tutorial 7": Published(
        "Eshraghian et al., arXiv 2109.12894", "nmnist", _NMNIST, _NMNIST,
        lambda small: woken(frameworks.Tutorial7()), steps=8, loss=frameworks.count_loss,
        needs=("snntorch",),
    ),
    "Norse ConvNet4": Published(
        "norse.torch.models.conv, Norse 1.1.0", "mnist spikes", _DIGIT, _DIGIT,
        lambda small: woken(frameworks.NorseConvNet()), steps=8,
        loss=frameworks.last_potential_loss, needs=("norse",),
    ),
    "sinabs N-MNIST net": Published(
        "sinabs 3.1, its tutorial on N-MNIST", "nmnist", _NMNIST, _NMNIST,
        lambda small: woken(frameworks.SinabsNet(2)), steps=8, time_axis=1, needs=("sinabs",),
        level="value",
    ),
}  # fmt: skip
"""By the name that their users give them."""
