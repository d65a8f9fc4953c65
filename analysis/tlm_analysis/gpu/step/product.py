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
    """Appends a layer's product kernels to ``kernels``.

    A convolution gathers its windows from an image, the larger side, where it reads; a transposed
    one where it writes, so that forward and input gradient change places.
    """

    def __init__(self, stage: NetworkStage, images: int, kernels: list[Kernel]) -> None:
        """``images`` is T B."""
        self._stage, self._kernels = stage, kernels
        sides = (stage.in_shape, stage.product_shape)
        image, plane = reversed(sides) if stage.transposed else sides
        self._image_pixels, self._image_channels = images * prod(image[1:]), image[0]
        self._pixels, self._channels = images * prod(plane[1:]), plane[0]
        self._reuse = self._pixels * stage.taps / self._image_pixels

    def forward(self, inputs: GpuTensor, weight: GpuTensor, outputs: GpuTensor) -> None:
        """Outputs from inputs."""
        move = self._scatter if self._stage.transposed else self._gather
        move(self._stage.kind, "fp", inputs, weight, outputs)

    def input_gradient(self, dY: GpuTensor, weight: GpuTensor, dX: GpuTensor) -> None:
        """dX, the gradient of the inputs, from dY."""
        move = self._gather if self._stage.transposed else self._scatter
        move("dgrad", "bp", dY, weight, dX)

    def weight_gradient(self, dY: GpuTensor, inputs: GpuTensor, dW: GpuTensor) -> None:
        """dW, the gradient of the weights; the sum over images is split to use the whole GPU."""
        stage = self._stage
        image, plane = (dY, inputs) if stage.transposed else (inputs, dY)
        groups, pixels = stage.groups, self._pixels
        rows, columns = self._channels // groups, self._image_channels // groups * stage.taps
        gemm = tiled(rows, columns, groups * pixels)
        splits = max(1, min(_BLOCKS // (groups * gemm.tiles), pixels // _LEAST_K))
        gemm = replace(gemm, reuse=self._reuse, over_images=True, splits=groups * splits)
        reads = (plane, self._touched(image))
        if splits == 1:
            self._launch("wgrad", "wg", reads, dW, gemm)
            return
        partial = GpuTensor(f"{stage.name} partial sums", splits * stage.weights * _PARTIAL_NBYTES)
        self._launch("wgrad", "wg", reads, partial, gemm)
        name, flop = f"{stage.name} wgrad sum", splits * stage.weights
        self._kernels.append(Kernel(name, "elementwise", "wg", (partial,), (dW,), flop))

    def _gather(
        self, what: str, phase: str, image: GpuTensor, weight: GpuTensor, result: GpuTensor
    ) -> None:
        """Each pixel of the result from its window of the image."""
        groups = self._stage.groups
        k = self._image_channels * self._stage.taps
        gemm = tiled(self._pixels, self._channels // groups, k)
        gemm = replace(gemm, reuse=self._reuse, splits=groups)
        self._launch(what, phase, (self._touched(image), weight), result, gemm)

    def _scatter(
        self, what: str, phase: str, plane: GpuTensor, weight: GpuTensor, image: GpuTensor
    ) -> None:
        """Each pixel of the image from the windows it lies in; a stride adds no work."""
        stage = self._stage
        k = self._channels * stage.taps
        gemm = tiled(self._image_pixels, self._image_channels // stage.groups, k)
        useful = 2 * self._pixels * stage.weights
        gemm = replace(gemm, reuse=stage.taps, useful=useful, splits=stage.groups)
        self._launch(what, phase, (plane, weight), image, gemm)

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
