"""SpikingJelly's CIFAR10-DVS VGG, a network of the literature, as shapes."""

from __future__ import annotations

from tlm.workload.model import Shape3
from tlm_analysis.gpu.step.network import NetworkShapes, NetworkStage, Optimizer, Pooling

# Channels of a 3 x 3 convolution, and whether an average pool of 2 x 2 follows.
_CONVOLUTIONS = (
    (64, False),
    (128, True),
    (256, False),
    (256, True),
    (512, False),
    (512, True),
    (512, False),
    (512, True),
)


def cifar10dvs_vgg(batch: int, steps: int = 10, optimizer: Optimizer = "sgd") -> NetworkShapes:
    """SpikingJelly's benchmark network (after Deng et al., TET) on frames of 48 x 48 events.

    Eight convolutions with BN and LIF, average pools, one linear layer; every step differs.
    """
    shape: Shape3 = (2, 48, 48)
    stages = []
    for index, (channels, pooled) in enumerate(_CONVOLUTIONS):
        out = (channels, *shape[1:])
        after = (channels, shape[1] // 2, shape[2] // 2) if pooled else out
        pool: Pooling | None = "average" if pooled else None
        source = (index - 1,)
        stages.append(
            NetworkStage(
                f"conv{index}", "conv", shape, out, out, after, (3, 3), source, pool=pool, norm=True
            )
        )
        shape = after
    flat, classes = (shape[0] * shape[1] * shape[2], 1, 1), (10, 1, 1)
    sources = (len(stages) - 1,)
    read_out = NetworkStage(
        "fc", "linear", flat, classes, classes, classes, (1, 1), sources, neuron=False
    )
    return NetworkShapes(
        "CIFAR10DVSVGG", (*stages, read_out), steps, batch, optimizer, direct=False
    )
