"""Which class an answer of output spikes means, at each step at which it might be asked for.

First to spike: the neuron that spikes first. No spike so far: the highest membrane potential now
(of equals the lowest index). Several first spikes at once are a tie: ``priority`` takes the lowest
index, as a priority encoder does; ``potential`` takes the highest potential of them.

Rate: the neuron with most spikes so far, of equals the highest potential now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tlm.workload.glm.arrays import Array, Classes, Flags
from tlm.workload.glm.rules import Rule

Ties: TypeAlias = Literal["priority", "potential"]


@dataclass(frozen=True, eq=False)
class Decisions:
    """``classes`` [T, B] if the answer is taken after step t; ``steps`` [B] of the first spike.

    A sample without a spike has step T (the number of steps), the others 0 .. T - 1; ``ties`` [B]
    says whether several neurons were first.
    """

    classes: Classes
    steps: Classes
    ties: Flags

    def accuracy(self, labels: Classes) -> Array:
        """Share of right answers after each step [T]."""
        return np.asarray((self.classes == labels).mean(1))

    def spoken_accuracy(self, labels: Classes) -> Array:
        """The same [T] where an answer takes a spike: without one so far it counts as wrong."""
        spoken = np.arange(len(self.classes))[:, None] >= self.steps
        return np.asarray((spoken & (self.classes == labels)).mean(1))


def decide(rule: Rule, U: Array, spikes: Flags, ties: Ties = "priority") -> Decisions:
    """Decisions of potentials and output spikes [T, B, M]."""
    steps, samples, _ = U.shape
    spiking = spikes.any(2)
    first = np.where(spiking.any(0), spiking.argmax(0), steps)
    at = (np.minimum(first, steps - 1), np.arange(samples))
    leaders = spikes[at]
    tied = leaders.sum(1) > 1
    if rule == "rate":
        return Decisions(_most_spikes(U, spikes), first, tied)
    if ties == "potential":
        leaders = np.where(leaders, U[at], -np.inf)
    decided = np.arange(steps)[:, None] >= first
    return Decisions(np.where(decided, leaders.argmax(1), U.argmax(2)), first, tied)


def _most_spikes(U: Array, spikes: Flags) -> Classes:
    counts = spikes.cumsum(0)
    leading = counts == counts.max(2, keepdims=True)
    return np.asarray(np.where(leading, U, -np.inf).argmax(2))


def expected_accuracy(U: Array, chances: Array, labels: Classes) -> float:
    """Accuracy of first-to-spike decisions after the last step, in the mean over ideal draws.

    ``chances`` [T, B, M] are those of a spike. The class c is right at step t if all were silent
    before, c spikes, and none of lower index does; or, without any spike, if it has the highest
    potential at the end.
    """
    samples = np.arange(len(labels))
    silent = np.log1p(-np.minimum(chances, 1 - np.finfo(np.float64).epsneg))
    before = silent.sum(2).cumsum(0) - silent.sum(2)
    lower = (silent.cumsum(2) - silent)[:, samples, labels]
    right = np.exp(before + lower) * chances[:, samples, labels]
    silence = np.exp(silent.sum((0, 2))) * (U[-1].argmax(1) == labels)
    return float((right.sum(0) + silence).mean())


def steps_to_share(accuracy: Array, share: float) -> int:
    """Number of steps after which accuracy [T] first is at least ``share`` of its last value."""
    return int((accuracy >= share * accuracy[-1]).argmax()) + 1
