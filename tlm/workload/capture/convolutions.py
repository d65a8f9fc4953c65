"""Convolution modules of one to three dimensions, transposed or not, as plain ones over planes.

One dimension is planes of one column. Of three dimensions one, of kernel 1, is time, which moves to
the steps, or of one element. A transposed convolution is a plain one of stride 1 whose kernels are
turned round, over an input with zeros put between its rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.tensor_axes import TensorAxes
from tlm.workload.model import Pair
from tlm.workload.operand import Line, Window, whole
from tlm.workload.values import FloatArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PlainSide:
    """Rows, or columns, of a plain convolution.

    ``spread`` puts zeros between its inputs; ``margins`` (before, behind) are zeros around them
    beside ``padding``, which is the same on both sides; below 0, inputs are cut off.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    spread: int = 1
    margins: Pair = (0, 0)

    def apart(self, line: Line) -> tuple[Line, Line]:
        """``line`` as two: what is read of the inputs, and zeros put between all of these.

        Zeros of the inputs themselves are inputs like others. What a padding beyond the kernel's
        reach cuts off stands as zeros in the first, and the second leaves it out.
        """
        apart, (front, back) = self.spread, self.margins
        inputs = (line.size - 1 - front - back) // apart + 1
        first = (line.before - front) // apart
        inner = replace(line, before=first, after=0, spread=-(-line.spread // apart))
        inner = replace(inner, after=inputs - inner.size)
        start, cut = max(0, -(front // apart)), max(0, -(back // apart))
        around = (front + start * apart, back + cut * apart)
        return inner, Line(start, inputs - cut, before=around[0], after=around[1], spread=apart)


@dataclass(frozen=True)
class PlainConvolution:
    """What a convolution ``module`` is over planes; ``omitted`` is its dimension that is no side.

    ``is_time`` says that the omitted dimension is that of all steps.
    """

    module: Any
    rows: PlainSide
    columns: PlainSide
    omitted: int | None = None
    is_time: bool = False

    def axes(self, shape: tuple[int, ...]) -> TensorAxes | None:
        """The axes of an input or output of ``shape``; None of [..., C, H, W]."""
        dimensions = len(self.module.kernel_size)
        if dimensions == 2:
            return None
        channel = len(shape) - dimensions - 1
        sides = [channel + 1 + at for at in range(dimensions) if at != self.omitted]
        rows, channels = list(range(channel)), [channel]
        if self.omitted is not None:
            (rows if self.is_time else channels).append(channel + 1 + self.omitted)
        height, width = (*(shape[side] for side in sides), 1)[:2]
        return TensorAxes(tuple(rows), tuple(channels), tuple(sides), (height, width))

    def read(self, planes: Tensor, zero: int = 0) -> Tensor:
        """What it reads of an input [..., C, H, W]; ``zero`` stands for what is put in."""
        from torch.nn.functional import pad

        if self.spreads:
            height, width = (
                (size - 1) * side.spread + 1
                for size, side in zip(planes.shape[-2:], (self.rows, self.columns), strict=True)
            )
            apart = planes.new_full((*planes.shape[:-2], height, width), zero)
            apart[..., :: self.rows.spread, :: self.columns.spread] = planes
            planes = apart
        margins = (*self.columns.margins, *self.rows.margins)
        return pad(planes, margins, value=zero) if any(margins) else planes

    @property
    def spreads(self) -> bool:
        """Whether it puts zeros between its inputs."""
        return max(self.rows.spread, self.columns.spread) > 1

    def apart(self, window: Window) -> tuple[Window, Window]:
        """The ``window`` that it reads through as two: on its inputs, and with zeros put between.

        So a layer knows how many inputs it has, which are what its multiplications are counted by.
        """
        (rows, spread_rows), (columns, spread_columns) = (
            side.apart(line)
            for side, line in ((self.rows, window.rows), (self.columns, window.columns))
        )
        inner = replace(window, rows=rows, columns=columns)
        every = whole(inner.shape_behind)
        return inner, replace(every, rows=spread_rows, columns=spread_columns)

    def weights(self, weights: FloatArray) -> FloatArray:
        """Weights, or their gradient, as [K, C / groups, R, S]."""
        groups, kernel = self.module.groups, (self.rows.kernel, self.columns.kernel)
        if not self.module.transposed:
            return weights.reshape(*weights.shape[:2], *kernel)
        inputs, outputs = weights.shape[:2]  # all C, and K of a group
        by_group = weights.reshape(groups, inputs // groups, outputs, *kernel).swapaxes(1, 2)
        turned = by_group[..., ::-1, ::-1].reshape(groups * outputs, inputs // groups, *kernel)
        return np.ascontiguousarray(turned)


def check_convolution(name: str, module: Any) -> None:
    """Refuse a convolution that is none over planes, whatever it reads.

    Raises WorkloadError.
    """
    if module.padding_mode != "zeros":
        raise WorkloadError(
            f'{name}: padding_mode {module.padding_mode} is not modelled; use "zeros"'
        )
    if len(module.kernel_size) == 3 and not _omittable(module):
        raise WorkloadError(
            f"{name}: its kernel {module.kernel_size} reaches over three dimensions, which is not "
            "modelled; one of them must have kernel 1, stride 1 and no padding"
        )


def plain_convolution(
    name: str, module: Any, shape: tuple[int, ...], steps: int, rows: Sequence[int]
) -> PlainConvolution:
    """The plain convolution that ``module`` is on an input of ``shape``, over T ``steps``.

    Where several of three dimensions may be time, that one is which is among the ``rows``, the axes
    of steps or samples that are known.

    Raises WorkloadError if its input has no axis of samples, or real depth.
    """
    dimensions = len(module.kernel_size)
    lead = len(shape) - dimensions - 1
    if lead < 1:
        raise WorkloadError(
            f"{name}: expected [N, C, ...] with samples N, got {list(shape)}; unsqueeze(0) it"
        )
    if dimensions < 3:
        columns = _side(module, 1) if dimensions == 2 else PlainSide()
        return PlainConvolution(module, _side(module, 0), columns)
    depths = {at: shape[lead + 1 + at] for at in _omittable(module)}
    is_time = lead == 1 and steps in depths.values()
    fitting = [at for at, size in depths.items() if size == (steps if is_time else 1)]
    if not fitting:
        raise WorkloadError(
            f"{name}: it reads {list(shape)}: of three dimensions one must be time, of {steps} "
            "steps with kernel 1, or of one element; others are not modelled"
        )
    omitted = next((at for at in fitting if lead + 1 + at in rows), fitting[0])
    height, width = (_side(module, at) for at in range(3) if at != omitted)
    return PlainConvolution(module, height, width, omitted, is_time)


def _omittable(module: Any) -> list[int]:
    """Dimensions in which each output reads the one input at its place."""
    return [
        at
        for at in range(len(module.kernel_size))
        if _side(module, at) == PlainSide(dilation=module.dilation[at])
    ]


def _side(module: Any, at: int) -> PlainSide:
    """Rows or columns of dimension ``at``."""
    kernel, stride, dilation = module.kernel_size[at], module.stride[at], module.dilation[at]
    reach = dilation * (kernel - 1)
    if module.padding == "same":
        before, behind = reach // 2, reach - reach // 2
    else:
        before = behind = 0 if module.padding == "valid" else module.padding[at]
    if module.transposed:
        before, behind = reach - before, reach - behind + module.output_padding[at]
    padding = max(0, min(before, behind))
    margins = (before - padding, behind - padding)
    if module.transposed:
        return PlainSide(kernel, 1, dilation, padding, stride, margins)
    return PlainSide(kernel, stride, dilation, padding, 1, margins)
