"""Training GLM networks: inputs in spikes, Adam, both rules on a task a person can check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tlm.workload.glm.decision import decide
from tlm.workload.glm.devices import codes
from tlm.workload.glm.rules import Rule
from tlm.workload.glm.sampling import bernoulli_spikes
from tlm.workload.recipe import GLMRecipe
from tlm.workload.training.datasets import DataSet, DataSplit
from tlm.workload.training.glm.training import Adam, Devices, input_spikes, train, tuned

RECIPE = GLMRecipe(
    name="stripes",
    dataset="mnist",
    outputs=3,
    steps=6,
    taps=6,
    functions=2,
    epochs=40,
    training_batch=30,
    learning_rate=0.05,
    seed=1,
)


def stripes(count: int) -> DataSplit:
    """Images of 3 x 4 pixels, one row of them bright: the class is the row."""
    labels = np.arange(count) % 3
    inputs = np.full((count, 1, 3, 4), 10, np.uint8)
    inputs[np.arange(count), 0, labels] = 200
    return DataSplit(inputs, labels)


DATASET = DataSet("stripes", "", "", stripes(90), stripes(60), 0.0, 255.0)


def accuracy(network, rule: Rule) -> float:
    """Of the whole test part, after the last step."""
    U = network.potentials(input_spikes(DATASET, DATASET.test, RECIPE.steps, (7,)))
    decisions = decide(rule, U, bernoulli_spikes(U, 7))
    return float(decisions.accuracy(DATASET.test.labels)[-1])


def test_values_are_chances_of_spikes() -> None:
    """An image holds at every step, a series has its own at each."""
    split = DataSplit(np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3), np.zeros(1, np.int64))
    S = input_spikes(DATASET, split, 5000, (1,))
    assert S.shape == (5000, 1, 3)
    assert S.mean((0, 1)) == pytest.approx([0, 0.2, 1], abs=0.02)
    series = DataSplit(np.array([0, 255], np.uint8).reshape(1, 2, 1, 1, 1), np.zeros(1, np.int64))
    assert input_spikes(DATASET, series, 2, (1,)).reshape(-1).tolist() == [0, 1]


def test_first_steps_of_adam() -> None:
    """The first step is the learning rate against the sign of the gradient, whatever its size."""
    weights, bias = np.zeros(2), np.ones(1)
    Adam((weights, bias)).update((np.array([1e-3, -5.0]), np.array([2.0])), 0.1)
    assert weights == pytest.approx([-0.1, 0.1], rel=1e-3)
    assert bias == pytest.approx([0.9], rel=1e-3)


@pytest.mark.parametrize("rule", ["first-to-spike", "rate"])
def test_rules_learn(rule: Rule) -> None:
    """Stripes are told apart, and by weights of three devices as well."""
    network = train(RECIPE, rule, DATASET)
    assert accuracy(network, rule) > 0.9
    few = tuned(RECIPE, rule, DATASET, network, Devices(3, 10))
    assert len(np.unique(few.weights)) <= 8
    assert accuracy(few, rule) > 0.85


def test_training_is_the_same_each_time() -> None:
    """The same seed gives the same bytes, another seed others."""
    short = replace(RECIPE, epochs=2)
    weights = [
        train(recipe, "first-to-spike", DATASET).weights.tobytes()
        for recipe in (short, short, replace(short, seed=2))
    ]
    assert weights[0] == weights[1] != weights[2]


def test_tuning_keeps_to_its_values() -> None:
    """Values of a network in devices are codes of one step, and its bias is free."""
    network = train(replace(RECIPE, epochs=3), "first-to-spike", DATASET)
    few = tuned(RECIPE, "first-to-spike", DATASET, network, Devices(2, 1))
    step = np.diff(np.unique(few.weights)).min()
    values = step * (codes(few.weights, 2, step) - 1.5)
    assert np.allclose(values, few.weights, rtol=0, atol=1e-12)
    assert not np.array_equal(few.bias, network.bias)
