"""The layers of published timings: tensors moved, counted by hand from their sources."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tlm_analysis.gpu.checks.cupy_layer import cupy_layer, linear_and_cupy_layer
from tlm_analysis.gpu.checks.torch_layer import torch_layer
from tlm_analysis.gpu.device.devices import RTX3090
from tlm_analysis.gpu.memory.traffic import step_traffic
from tlm_analysis.gpu.step.kernel import Kernel

STEP = 4000
"""Bytes of one tensor of one step."""


def tensors(kernels: Sequence[Kernel]) -> float:
    """Bytes read and written, in tensors of one step."""
    return sum(kernel.nbytes for kernel in kernels) / STEP


def test_pytorch_moves_28_and_a_half_tensors_a_step_forward() -> None:
    """Charge 8, threshold 2, heaviside 2.5, reset 10, two stores 4, two cleared 2."""
    forward, _ = torch_layer(6, STEP)
    assert tensors(forward) == 6 * (8 + 2 + 2.5 + 10 + 4 + 2)


def test_pytorch_backward_grows_with_six_times_the_square_of_the_steps() -> None:
    """Every step copies the gradient of all (2), clears one (1) and adds it (3)."""
    moved = [tensors(torch_layer(steps, STEP)[1]) for steps in (4, 5, 6, 7)]
    first = [later - earlier for earlier, later in pairwise(moved)]
    assert [later - earlier for earlier, later in pairwise(first)] == [12, 12]


def test_cupy_moves_eleven_tensors_forward_and_thirteen_back() -> None:
    """Cleared 5, copied 2, kernel 4; sum 1, cleared or expanded 3, kernel 5, x.grad 3 and 1."""
    steps = 10
    forward, backward = cupy_layer(steps, STEP)
    last_step_twice, scalar = 4, 4 / STEP
    assert tensors(forward) == 11 * steps + last_step_twice
    assert tensors(backward) == 13 * steps + scalar


def test_a_linear_layer_keeps_nine_tensors_and_its_weight() -> None:
    """Input, current, the last output's three, the new three and the copied membrane."""
    neurons, steps, batch = 64, 50, 16
    unit, weight = 4 * neurons * steps * batch, 4 * neurons**2
    forward, backward = linear_and_cupy_layer(neurons, steps, batch)
    assert step_traffic(forward, RTX3090).peak_nbytes == 9 * unit + weight
    assert step_traffic(backward, RTX3090).peak_nbytes == 7 * unit + 2 * weight
