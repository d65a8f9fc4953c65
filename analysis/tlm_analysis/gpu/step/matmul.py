"""Products of two activations as batched GEMMs (``torch.bmm``): T B matrices a head.

Y = M X, dX = M' dY and dM = dY X', with M [K, C] and X [C, n] a head, sample and step. They lie by
channels, so that heads and turned operands are views, which cuBLAS reads as they are (assumed: the
copies that a network's own permutations cost are in no job). A constant factor is a kernel.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tlm_analysis.gpu.step.draft import StepDraft
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import NetworkStage
from tlm_analysis.gpu.step.product import tiled


class Matmul:
    """The product of stage ``stage``, which holds M in the place of weights."""

    def __init__(self, step: StepDraft, stage: NetworkStage) -> None:
        self._step, self._stage = step, stage
        self._matrices = step.network.images * stage.groups
        self._outputs = stage.product_shape[0] // stage.groups
        self._inputs = stage.in_shape[0] // stage.groups
        self._positions = prod(stage.in_shape[1:])

    def forward(self, inputs: GpuTensor, held: GpuTensor) -> GpuTensor:
        """Y of ``inputs`` X and ``held`` M."""
        step, name = self._step, self._stage.name
        Y = step.tensor(f"{name} product", *self._stage.product_shape)
        sides = (self._outputs, self._positions, self._inputs)
        self._launch("matmul", "fp", (held, inputs), Y, sides)

        def backward(dY: GpuTensor) -> None:
            if step.needs(inputs):
                dX = GpuTensor(f"{name} input gradient", inputs.nbytes)
                sides = (self._inputs, self._positions, self._outputs)
                self._launch("matmul dgrad", "bp", (held, dY), dX, sides)
                step.give(inputs, dX)
            if step.needs(held):
                dM = GpuTensor(f"{name} held gradient", held.nbytes)
                sides = (self._outputs, self._inputs, self._positions)
                self._launch("matmul held grad", "bp", (dY, inputs), dM, sides)
                step.give(held, dM)

        step.record(Y, (inputs, held), backward)
        return self._scaled(Y) if self._stage.scaled else Y

    def _scaled(self, Y: GpuTensor) -> GpuTensor:
        step, name = self._step, self._stage.name
        flop = Y.nbytes // step.element
        scaled = GpuTensor(f"{name} scaled", Y.nbytes)
        step.launch(f"{name} scale", "fp", (Y,), (scaled,), flop)

        def backward(gradient: GpuTensor) -> None:
            dY = GpuTensor(f"{name} product gradient", Y.nbytes)
            step.launch(f"{name} scale grad", "bp", (gradient,), (dY,), flop)
            step.give(Y, dY)

        step.record(scaled, (Y,), backward)
        return scaled

    def _launch(
        self,
        what: str,
        phase: str,
        reads: tuple[GpuTensor, GpuTensor],
        result: GpuTensor,
        sides: tuple[int, int, int],
    ) -> None:
        """One launch of all matrices, each a part with operands of its own."""
        m, n, k = sides
        gemm = replace(tiled(m, n, k * self._matrices), splits=self._matrices)
        name = f"{self._stage.name} {what}"
        kernel = Kernel(name, "linear", phase, reads, (result,), gemm.flop, gemm)
        self._step.kernels.append(kernel)
