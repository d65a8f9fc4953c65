"""The three products of a layer as kernels: forward, input gradient, weight gradient.

Implicit GEMM: with N images, forward is [N E F, C R S] x [C R S, K], the input gradient
[N H W, K R S] x [K R S, C] and the weight gradient [K, N E F] x [N E F, C R S].

A grouped convolution is one launch of G such products (assumed: implicit GEMM, as cuDNN's grouped
kernels). Each reads its own part of both operands, as the parts of a split product do, so that G
products of C / G and K / G channels are one split into G; groups narrower than a tile leave the
rest of it idle.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tlm_analysis.gpu.step.kernel import Gemm, GpuTensor, Kernel
from tlm_analysis.gpu.step.network import NetworkStage

_LEAST_K = 256  # of one part of a split product: assumed, a few steps of the main loop
_PARTIAL_NBYTES = 4  # partial sums are FP32
PANEL_TILES = 8  # columns of tiles walked together, CUTLASS' widest threadblock swizzle
_BLOCKS = 128  # parts are made until about so many blocks run: assumed, of the order of all SMs


class Products:
    """Appends a layer's product kernels to ``kernels``."""

    def __init__(self, stage: NetworkStage, images: int, kernels: list[Kernel]) -> None:
        """``images`` is T B."""
        self._stage, self._kernels = stage, kernels
        self._pixels_out = images * prod(stage.product_shape[1:])
        self._pixels_in = images * prod(stage.in_shape[1:])
        self._reuse = self._pixels_out * stage.taps / self._pixels_in
        self._inputs_each = stage.in_shape[0] // stage.groups
        self._outputs_each = stage.product_shape[0] // stage.groups

    def forward(self, inputs: GpuTensor, weight: GpuTensor, outputs: GpuTensor) -> None:
        """Outputs from inputs."""
        stage = self._stage
        gemm = tiled(self._pixels_out, self._outputs_each, stage.in_shape[0] * stage.taps)
        gemm = replace(gemm, reuse=self._reuse, splits=stage.groups)
        self._launch(stage.kind, "fp", (self._touched(inputs), weight), outputs, gemm)

    def input_gradient(self, dY: GpuTensor, weight: GpuTensor, dX: GpuTensor) -> None:
        """dX, the gradient of the inputs, from dY; a stride adds no work."""
        stage = self._stage
        gemm = tiled(self._pixels_in, self._inputs_each, stage.product_shape[0] * stage.taps)
        useful = 2 * self._pixels_out * stage.weights
        gemm = replace(gemm, reuse=stage.taps, useful=useful, splits=stage.groups)
        self._launch("dgrad", "bp", (dY, weight), dX, gemm)

    def weight_gradient(self, dY: GpuTensor, inputs: GpuTensor, dW: GpuTensor) -> None:
        """dW, the gradient of the weights; the sum over images is split to use the whole GPU."""
        stage = self._stage
        groups, pixels = stage.groups, self._pixels_out
        gemm = tiled(self._outputs_each, self._inputs_each * stage.taps, groups * pixels)
        splits = max(1, min(_BLOCKS // (groups * gemm.tiles), pixels // _LEAST_K))
        gemm = replace(gemm, reuse=self._reuse, over_images=True, splits=groups * splits)
        inputs = self._touched(inputs)
        if splits == 1:
            self._launch("wgrad", "wg", (dY, inputs), dW, gemm)
            return
        partial = GpuTensor(f"{stage.name} partial sums", splits * stage.weights * _PARTIAL_NBYTES)
        self._launch("wgrad", "wg", (dY, inputs), partial, gemm)
        name, flop = f"{stage.name} wgrad sum", splits * stage.weights
        self._kernels.append(Kernel(name, "elementwise", "wg", (partial,), (dW,), flop))

    def _touched(self, inputs: GpuTensor) -> GpuTensor:
        """Rows of the image that the windows touch; a stride along a row leaves no sector out."""
        taps, apart = range(self._stage.kernel[0]), self._stage.dilation[0]
        step = self._stage.stride[0]
        rows = len({tap * apart % step for tap in taps})
        if rows == step:
            return inputs
        return GpuTensor(f"{inputs.name} rows", inputs.nbytes * rows // step, base=inputs.storage)

    def _launch(
        self,
        what: str,
        phase: str,
        reads: tuple[GpuTensor, GpuTensor],
        result: GpuTensor,
        gemm: Gemm,
    ) -> None:
        name = f"{self._stage.name} {what}"
        kernel = Kernel(name, self._stage.kind, phase, reads, (result,), gemm.flop, gemm)
        self._kernels.append(kernel)


def tiled(m: int, n: int, k: int) -> Gemm:
    """A product in the tiles that a library would take, as far as its shape decides."""
    return Gemm(m, n, k, tile_m=_tile(m), tile_n=_tile(n), panel=PANEL_TILES)


def _tile(size: int) -> int:
    """Tiles of 128, halved to 32 for short sides (assumed: libraries pick by measuring)."""
    if size > 64:
        return 128
    return 64 if size > 32 else 32
