"""Trained numbers: what a layer learns beside its weights, counted from the job and its norm."""

from __future__ import annotations

from tlm.workload.model import Layer, Norm

STEP_SCALE = "step_scale"  # of a norm: a number a step, whatever the channel
NORM_PARAMETERS = ("scale", "shift", STEP_SCALE)


def trained_numbers(layer: Layer, steps: int, policy: str) -> dict[str, int]:
    """How many numbers there are of each parameter; ``policy`` is that of batch normalisation.

    Folding the statistics into the weights leaves a bias.
    """
    channels, norm = layer.out_shape[0], layer.norm
    if norm is not None and policy == "folded":
        return {"bias": channels}
    numbers = {"bias": channels} if layer.bias else {}
    if norm is not None:
        each = channels * (steps if norm.by_step else 1)
        numbers |= {"scale": each} if norm.scaled else {}
        numbers |= {"shift": each} if norm.shifted else {}
        numbers |= {STEP_SCALE: steps} if norm.step_scaled else {}
    return numbers


def factor_by_step(norm: Norm) -> bool:
    """Whether what multiplies a current is of its step: its statistic, its scale, or both."""
    return norm.per_step or norm.by_step or norm.step_scaled


def sums_over_steps(norm: Norm) -> bool:
    """Whether gradients of single steps are added up: for one scale or shift, or one statistic."""
    learnt = norm.scaled or norm.shifted
    return not norm.per_step or (learnt and not norm.by_step)
