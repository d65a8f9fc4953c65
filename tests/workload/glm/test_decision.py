"""What output spikes decide: the first spike, ties, silence, counts; and steps to a share."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tlm.workload.glm.decision import decide, expected_accuracy, steps_to_share
from tlm.workload.glm.rules import sigmoid


def answer(*steps: tuple[int, ...]) -> np.ndarray:
    """Spikes [T, 1, M] of one sample."""
    return np.array(steps, bool)[:, None]


RISING = np.arange(9.0).reshape(3, 1, 3)
"""Potentials whose highest is output 2 at every step."""


def test_the_first_spike_decides_and_stays() -> None:
    """Silent at first, the highest potential; from the spike of 0 on, 0, whatever comes later."""
    decisions = decide("first-to-spike", RISING, answer((0, 0, 0), (1, 0, 0), (0, 1, 1)))
    assert decisions.classes[:, 0].tolist() == [2, 0, 0]
    assert decisions.steps.tolist() == [1] and not decisions.ties[0]
    assert decisions.accuracy(np.array([0])).tolist() == [0, 1, 1]
    assert decisions.spoken_accuracy(np.array([2])).tolist() == [0, 0, 0]


def test_silence_is_decided_by_the_highest_potential() -> None:
    """At every step; the step of the decision is T, and no answer by a spike is right."""
    decisions = decide("first-to-spike", RISING, answer((0, 0, 0), (0, 0, 0), (0, 0, 0)))
    assert decisions.classes[:, 0].tolist() == [2, 2, 2]
    assert decisions.steps.tolist() == [3]
    assert decisions.spoken_accuracy(np.array([2])).tolist() == [0, 0, 0]


def test_ties() -> None:
    """Two first spikes: the lowest index, or the higher potential of the two that spiked."""
    spikes = answer((1, 1, 0), (0, 0, 1), (0, 0, 0))
    by_index = decide("first-to-spike", RISING, spikes)
    by_potential = decide("first-to-spike", RISING, spikes, "potential")
    assert by_index.ties[0] and by_potential.ties[0]
    assert by_index.classes[:, 0].tolist() == [0, 0, 0]
    assert by_potential.classes[:, 0].tolist() == [1, 1, 1]


def test_rates_are_counted() -> None:
    """No spike: the highest potential; then most spikes, of equals the highest potential."""
    decisions = decide("rate", RISING, answer((0, 0, 0), (1, 0, 0), (0, 1, 0)))
    assert decisions.classes[:, 0].tolist() == [2, 0, 1]


def test_samples_are_decided_apart() -> None:
    """A batch gives what its samples give alone."""
    rng = np.random.default_rng(1)
    U, spikes = rng.normal(0, 1, (5, 7, 3)), rng.random((5, 7, 3)) < 0.15
    together = decide("first-to-spike", U, spikes)
    for sample in range(7):
        part = slice(sample, sample + 1)
        alone = decide("first-to-spike", U[:, part], spikes[:, part])
        assert np.array_equal(together.classes[:, part], alone.classes)
        assert together.steps[sample] == alone.steps[0]


def test_expected_accuracy_agrees_with_all_outcomes() -> None:
    """Two outputs, three steps, two samples: the 64 trains, each decided, times its probability."""
    U = np.random.default_rng(3).normal(-0.5, 1, (3, 2, 2))
    labels = np.array([0, 1])
    g, expected = sigmoid(U), 0.0
    for bits in product((False, True), repeat=6):
        spikes = np.repeat(np.reshape(bits, (3, 1, 2)), 2, axis=1)
        chances = np.where(spikes, g, 1 - g).prod((0, 2))
        right = decide("first-to-spike", U, spikes).classes[-1] == labels
        expected += float((chances * right).mean())
    assert expected_accuracy(U, g, labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("accuracy", "expected"), [([0.1, 0.61, 0.7, 0.8], 2), ([0.9, 0.8], 1), ([0, 0, 1], 3)]
)
def test_steps_to_three_quarters(accuracy: list[float], expected: int) -> None:
    """Counted from one, of the last value."""
    assert steps_to_share(np.array(accuracy), 0.75) == expected
