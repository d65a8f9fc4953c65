"""Trained numbers: what a layer learns beside its weights, counted from the job and its norm."""

from __future__ import annotations

from tlm.workload.model import Layer, Neuron, Norm

STEP_SCALE = "step_scale"  # of a norm: a number a step, whatever the channel
NORM_PARAMETERS = ("scale", "shift", STEP_SCALE)


def trained_numbers(layer: Layer, steps: int, policy: str) -> dict[str, int]:
    """How many numbers there are of each parameter; ``policy`` is that of batch normalisation.

    Folding the statistics into the weights leaves a bias.
    """
    channels, norm, neuron = layer.out_shape[0], layer.norm, layer.neuron
    learnt: dict[str, int] = {}
    if isinstance(neuron, Neuron):
        learnt = dict.fromkeys(neuron.learnt, channels if neuron.by_channel else 1)
    if norm is not None and policy == "folded":
        return {"bias": channels} | learnt
    numbers = {"bias": channels} if layer.bias else {}
    if norm is not None:
        each = channels * (steps if norm.by_step else 1)
        numbers |= {"scale": each} if norm.scaled else {}
        numbers |= {"shift": each} if norm.shifted else {}
        numbers |= {STEP_SCALE: steps} if norm.step_scaled else {}
    return numbers | learnt


def of_the_layer(layer: Layer) -> set[str]:
    """The names of those that no channel has a number of its own of."""
    neuron = layer.neuron
    learnt = isinstance(neuron, Neuron) and not neuron.by_channel and neuron.learnt
    return {STEP_SCALE, *(learnt or ())}


def factor_by_step(norm: Norm) -> bool:
    """Whether what multiplies a current is of its step: its statistic, its scale, or both."""
    return norm.per_step or norm.by_step or norm.step_scaled


def sums_over_steps(norm: Norm) -> bool:
    """Whether gradients of single steps are added up: for one scale or shift, or one statistic."""
    learnt = norm.scaled or norm.shifted
    return not norm.per_step or (learnt and not norm.by_step)
