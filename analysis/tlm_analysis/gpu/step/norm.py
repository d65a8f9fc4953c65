"""Batch normalisation as kernels: over all T B images, or step by step.

Steps with statistics of their own are T launches of each kernel, and one that puts what they leave
together (``torch.cat``), forward and back.
"""

from __future__ import annotations

from tlm_analysis.gpu.step.draft import StepDraft
from tlm_analysis.gpu.step.kernel import GpuTensor
from tlm_analysis.gpu.step.network import NetworkStage

# How often BN reads its input (and, going back, its gradient as well): once for the statistics and
# once to normalise. PyTorch asks cuDNN for SPATIAL, whose kernels read twice; SPATIAL_PERSISTENT
# (channels-last tensors) reads once what fits on chip.
NORM_PASSES = 2


def normalised(step: StepDraft, stage: NetworkStage, outputs: GpuTensor) -> GpuTensor:
    """A product's ``outputs`` behind the stage's norm, if it has one.

    Without training its statistics are fixed; they lie in the weights where no step has a scale of
    its own.
    """
    learns = step.network.learns
    if not stage.norm or (stage.foldable and not learns):
        return outputs
    name, reads_twice = f"{stage.name} bn", step.norm_passes == 2
    normed = step.tensor(f"{stage.name} normed", *stage.product_shape)
    pieces = _pieces(step, stage, outputs)
    results = [GpuTensor(f"{stage.name} normed", piece.nbytes) for piece in pieces]
    for piece, result in zip(pieces, results if stage.by_step else [normed], strict=True):
        if reads_twice and learns:
            step.launch(f"{name} statistics", "fp", (piece,), ())
        step.launch(name, "fp", (piece,), (result,))
    if stage.by_step:
        step.launch(f"{name} cat", "fp", tuple(results), (normed,))

    def backward(dI: GpuTensor) -> None:
        dY = step.tensor(f"{stage.name} product gradient", *stage.product_shape)
        arrived = _pieces(step, stage, dI)
        left = [GpuTensor(f"{stage.name} product gradient", piece.nbytes) for piece in pieces]
        targets = left if stage.by_step else [dY]
        for gradient, piece, result in zip(arrived, pieces, targets, strict=True):
            if reads_twice:
                step.launch(f"{name} grad statistics", "bp", (gradient, piece), ())
            step.launch(f"{name} grad", "bp", (gradient, piece), (result,))
        if stage.by_step:
            step.launch(f"{name} grad cat", "bp", tuple(left), (dY,))
        step.give(outputs, dY)

    step.record(normed, (outputs,), backward)
    return _scaled(step, stage, normed) if stage.step_scaled else normed


def _pieces(step: StepDraft, stage: NetworkStage, tensor: GpuTensor) -> list[GpuTensor]:
    """What is normalised at once: a step each, or all of them."""
    steps = step.network.steps
    return [tensor.step(t, steps) for t in range(steps)] if stage.by_step else [tensor]


def _scaled(step: StepDraft, stage: NetworkStage, normed: GpuTensor) -> GpuTensor:
    """Multiplied with a number a step, whose gradient reads what was multiplied."""
    scaled = step.tensor(f"{stage.name} scaled", *stage.product_shape)
    step.launch(f"{stage.name} bn step scale", "fp", (normed,), (scaled,))

    def backward(gradient: GpuTensor) -> None:
        dI = step.tensor(f"{stage.name} normed gradient", *stage.product_shape)
        step.launch(f"{stage.name} bn step scale grad", "bp", (gradient, normed), (dI,))
        step.give(normed, dI)

    step.record(scaled, (normed,), backward)
    return scaled
