"""What is needed to go step by step through layers in a loop."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.workload.golden.shortcuts import Passed
from tlm.workload.values import FloatArray, Numbers, Parameters


@dataclass(frozen=True, eq=False)
class Moment:
    """FP of a layer in one step: ``current`` before the neurons, ``output`` before ``pool``."""

    current: Numbers
    output: Numbers

    @classmethod
    def of(cls, passed: Passed, now: slice) -> Moment:
        """One step of all of them."""
        return cls(passed.current[now], passed.output[now])


def of_steps(parameters: Parameters, now: slice) -> Parameters:
    """Parameters with those of some steps alone, where each step has its own."""

    def part(array: FloatArray | None, axes: int) -> FloatArray | None:
        return array[now] if array is not None and array.ndim == axes else array

    return Parameters(
        weights=parameters.weights,
        bias=parameters.bias,
        scale=part(parameters.scale, 2),
        shift=part(parameters.shift, 2),
        step_scale=part(parameters.step_scale, 1),
        constants=parameters.constants,
    )
