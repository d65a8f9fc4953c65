"""Figures of the study of first-to-spike learning: trained, sampled with many seeds, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.evidence.page import DOCS
from tlm.workload.glm.arrays import Array
from tlm.workload.glm.decision import decide, expected_accuracy
from tlm.workload.glm.lfsr import LFSR
from tlm.workload.glm.network import GLMNetwork
from tlm.workload.glm.rules import Rule, sigmoid
from tlm.workload.glm.sampling import HardwareSampler, SigmoidTable, bernoulli_spikes
from tlm.workload.recipe import GLMRecipe
from tlm.workload.training.datasets import DataSet, load
from tlm.workload.training.glm.training import (
    Adam,
    Devices,
    input_spikes,
    mini_batches,
    train,
    tuned,
)

RESULTS = DOCS / "studies" / "first_to_spike.csv"
KEYS = ("task", "quantity", "setting")
RULES: tuple[Rule, ...] = ("first-to-spike", "rate")
SEEDS = {"mnist": 20, "basic-motions": 200}  # drawings of the test part: one is small
T_QUANTILES = {20: 2.093, 200: 1.972}  # Student's t, one degree of freedom less, 97.5 %
OTHER_SEEDS = (2, 3)  # of training with the first rule
DEVICES = range(1, 9)
# Width and shifts of the register, address and output bits of the table.
SAMPLERS = (
    (16, 16, 8, 16),
    (16, 16, 8, 8),
    (16, 16, 6, 8),
    (16, 16, 4, 8),
    (16, 16, 8, 4),
    (16, 1, 8, 16),
    (16, 1, 8, 8),
    (8, 8, 8, 8),
    (8, 1, 8, 8),
    (12, 12, 8, 8),
    (32, 32, 10, 24),
)

Row = dict[str, str]


@dataclass(frozen=True)
class Networks:
    """All networks that are trained for one task."""

    rules: dict[Rule, GLMNetwork]
    softmax: tuple[Array, Array]
    other_seeds: dict[int, GLMNetwork]
    rounded: dict[int, GLMNetwork]
    tuned: dict[int, GLMNetwork]


def measure(recipe: GLMRecipe, data: Path) -> list[Row]:
    """Every row of one task."""
    dataset = load(recipe.dataset, data, recipe.steps)
    networks = trained(recipe, dataset)
    drawn = [values(recipe, dataset, networks, seed) for seed in range(SEEDS[recipe.dataset])]
    facts = {
        ("trained on", "samples"): len(dataset.train.labels),
        ("tested on", "samples"): len(dataset.test.labels),
        ("inputs", "neurons"): len(networks.softmax[0]),
    }
    constants = [row(recipe, key, [float(value)]) for key, value in facts.items()]
    return constants + [row(recipe, key, [part[key] for part in drawn]) for key in drawn[0]]


def row(recipe: GLMRecipe, key: tuple[str, str], drawn: list[float]) -> Row:
    """Mean over the seeds and half of the 95 % confidence interval of the mean."""
    half = 0.0
    if len(drawn) > 1:
        half = T_QUANTILES[len(drawn)] * np.std(drawn, ddof=1) / len(drawn) ** 0.5
    quantity, setting = key
    return {
        "task": recipe.name, "quantity": quantity, "setting": setting,
        "mean": f"{np.mean(drawn):.6g}", "half_width": f"{half:.3g}",
        "seeds": str(len(drawn)), "training_seed": str(recipe.seed), "epochs": str(recipe.epochs),
    }  # fmt: skip


def trained(recipe: GLMRecipe, dataset: DataSet) -> Networks:
    """Both rules, the softmax regression, and the first rule from other seeds and in devices."""
    rules = {rule: train(recipe, rule, dataset) for rule in RULES}
    first = rules["first-to-spike"]

    def in_devices(count: int, epochs: int) -> GLMNetwork:
        return tuned(recipe, "first-to-spike", dataset, first, Devices(count, epochs))

    return Networks(
        rules,
        softmax_regression(recipe, dataset),
        {
            seed: train(replace(recipe, seed=seed), "first-to-spike", dataset)
            for seed in OTHER_SEEDS
        },
        {count: in_devices(count, 0) for count in DEVICES},
        {count: in_devices(count, recipe.tuning_epochs) for count in DEVICES},
    )


def softmax_regression(recipe: GLMRecipe, dataset: DataSet) -> tuple[Array, Array]:
    """Weights [N, M] and bias of the ANN: softmax of the mean input spikes, cross-entropy."""
    inputs = int(np.prod(dataset.train.inputs.shape[-3:]))
    weights, bias = np.zeros((inputs, recipe.outputs)), np.zeros(recipe.outputs)
    adam = Adam((weights, bias))
    for S, labels, progress in mini_batches(recipe, dataset, recipe.epochs):
        mean = S.mean(0)
        scores = mean @ weights + bias
        dU = np.exp(scores - scores.max(1, keepdims=True))
        dU /= dU.sum(1, keepdims=True)
        dU[np.arange(len(labels)), labels] -= 1
        gradients = (mean.T @ dU / len(labels), dU.mean(0))
        adam.update(gradients, recipe.learning_rate * (1 + np.cos(np.pi * progress)) / 2)
    return weights, bias


def values(
    recipe: GLMRecipe, dataset: DataSet, networks: Networks, seed: int
) -> dict[tuple[str, str], float]:
    """Every figure of one drawing of the test inputs, by quantity and setting."""
    S = input_spikes(dataset, dataset.test, recipe.steps, (recipe.seed, recipe.epochs, seed))
    labels = dataset.test.labels
    first = networks.rules["first-to-spike"].potentials(S)
    figures = dict(first_spike_figures(S, first, labels, seed))
    rate = networks.rules["rate"].potentials(S)
    counts = decide("rate", rate, bernoulli_spikes(rate, seed))
    figures |= by_step("rate rule", counts.accuracy(labels))
    weights, bias = networks.softmax
    right = (S.mean(0) @ weights + bias).argmax(1) == labels
    figures["ANN", "after all steps"] = float(right.mean())
    several = {
        "training seed": networks.other_seeds,
        "rounded": networks.rounded,
        "tuned": networks.tuned,
    }
    for name, variants in several.items():
        for setting, network in variants.items():
            U = network.potentials(S)
            figures[name, str(setting)] = expected_accuracy(U, sigmoid(U), labels)
    return figures


def by_step(name: str, accuracy: Array) -> dict[tuple[str, str], float]:
    """A value for each step, counted from one."""
    return {(name, str(step)): float(value) for step, value in enumerate(accuracy, start=1)}


def first_spike_figures(
    S: Array, U: Array, labels: np.ndarray, seed: int
) -> Iterator[tuple[tuple[str, str], float]]:
    """Accuracies by step, ties, silence, what an early stop leaves, and samplers in hardware."""
    spikes = bernoulli_spikes(U, seed)
    decisions = decide("first-to-spike", U, spikes)
    accuracy = decisions.accuracy(labels)
    yield from by_step("first spike, or potential", accuracy).items()
    yield from by_step("first spike alone", decisions.spoken_accuracy(labels)).items()
    yield ("potential alone", "last step"), float((U[-1].argmax(1) == labels).mean())
    yield ("ties", "share of samples"), float(decisions.ties.mean())
    by_potential = decide("first-to-spike", U, spikes, "potential").accuracy(labels)[-1]
    yield ("ties", "gain by potential"), float(by_potential - accuracy[-1])
    steps = len(U)
    yield ("no spike", "share of samples"), float((decisions.steps == steps).mean())
    used = np.minimum(decisions.steps + 1, steps)
    yield ("early stop", "mean steps"), float(used.mean())
    per_step = S.sum(2)
    kept = np.arange(steps)[:, None] < used
    yield ("early stop", "share of input spikes"), float((per_step * kept).sum() / per_step.sum())
    yield ("input spikes", "a step and sample"), float(per_step.mean())
    ideal = expected_accuracy(U, sigmoid(U), labels)
    yield ("expected", "float64"), ideal
    for width, shifts, address, output in SAMPLERS:
        sampler = HardwareSampler(LFSR(width, shifts), SigmoidTable(address, output))
        sampled = decide("first-to-spike", U, sampler.spikes(U, seed)).accuracy(labels)[-1]
        chances = sampler.table.thresholds(U) / 2.0**output
        by_table = expected_accuracy(U, chances, labels)
        setting = f"{width} {shifts} {address} {output}"
        yield ("table less sigmoid", setting), by_table - ideal
        yield ("register less ideal", setting), float(sampled) - by_table


def curve(rows: Iterable[Row], task: str, quantity: str) -> list[float]:
    """Means of a quantity by its setting, in numeric order."""
    chosen = [row for row in rows if (row["task"], row["quantity"]) == (task, quantity)]
    return [float(row["mean"]) for row in sorted(chosen, key=lambda row: int(row["setting"]))]
