"""The weight update of a training step as kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import Optimizer

MASTER_NBYTES = 4  # weights, their gradients and moments are FP32 in amp too

# Tensors beside weight and gradient that an optimizer reads and writes. Operations: NeuroMC's count
# (Adam 11 multiplications, 4 additions, 1 root; SGD 1 and 1).
_MOMENTS = {"adam": ("mean", "variance"), "sgd": ()}
_FLOP = {"adam": 16, "sgd": 2}


def update(
    optimizer: Optimizer, scaled: bool, weights: Sequence[GpuTensor], gradients: Sequence[GpuTensor]
) -> Iterator[Kernel]:
    """One fused launch of the optimizer; a loss scale is taken out of the gradients first.

    With a fused optimizer too, PyTorch's GradScaler reads and writes all gradients once to look
    for infinities (torch/amp/grad_scaler.py, _check_inf_per_device).
    """
    elements, layers = sum(weight.nbytes for weight in weights) // MASTER_NBYTES, len(weights)
    if scaled:
        reads = writes = tuple(gradients)
        yield Kernel("unscale", "elementwise", "update", reads, writes, elements, groups=layers)
    read: list[GpuTensor] = []
    written: list[GpuTensor] = []
    for weight, gradient in zip(weights, gradients, strict=True):
        names = [f"{weight.name} {part}" for part in _MOMENTS[optimizer]]
        state = [weight, *(GpuTensor(name, weight.nbytes, kept=True) for name in names)]
        read += [gradient, *state]
        written += state
    flop = _FLOP[optimizer] * elements
    name = f"{optimizer} update"
    yield Kernel(name, "elementwise", "update", tuple(read), tuple(written), flop, groups=layers)
