"""A list of norms, one for each step, as one norm with parameters for each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.norms import norm_epsilon, stacked


def with_joined_norms(boundaries: Mapping[str, Boundary], steps: int) -> dict[str, Boundary]:
    """The boundaries, those of lists of T norms with the parameters of all.

    Raises WorkloadError if several norms follow a product and are not one for each of the T
    ``steps``, or not alike.
    """
    return {
        name: _joined(boundary, steps) if boundary.others else boundary
        for name, boundary in boundaries.items()
    }


def _joined(first: Boundary, steps: int) -> Boundary:
    norms = [first, *first.others]
    alike = {(norm_epsilon(norm.module), tuple(norm.parameters)) for norm in norms}
    if len(norms) != steps or len(first.outputs) != steps or len(alike) > 1:
        raise WorkloadError(
            f"{first.name}: {len(norms)} norms read one product; expected one for all steps, or "
            f"one, all alike, for each of the T = {steps} steps"
        )
    gradients = [norm.parameter_gradients for norm in norms]
    complete = all(each.keys() == gradients[0].keys() for each in gradients)
    return replace(
        first,
        parameters=stacked([norm.parameters for norm in norms]),
        parameter_gradients=stacked(gradients) if complete else {},
    )
