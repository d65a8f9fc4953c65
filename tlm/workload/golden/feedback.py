"""FP of layers in a loop: step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tlm.workload.model import Layer
from tlm.workload.values import Numbers

StepOutput = Callable[[Layer, slice], Numbers]
"""What a layer leaves in one step, [1, B, K, E', F'], if the outputs of its sources are there."""


def unroll(
    loop: Sequence[Layer], outputs: dict[int, Numbers], shape: tuple[int, int], output: StepOutput
) -> None:
    """Put what the layers of ``loop`` leave into ``outputs``, step after step.

    ``shape`` is [T, B]. What a layer leaves is zero until its step has been made.
    """
    steps = shape[0]
    for layer in loop:
        outputs[layer.index] = np.zeros((*shape, *layer.pooled_shape))
    for step in range(steps):
        now = slice(step, step + 1)
        for layer in loop:
            outputs[layer.index][now] = output(layer, now)
