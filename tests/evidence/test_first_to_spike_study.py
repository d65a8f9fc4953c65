"""The study of first-to-spike learning: its figures, tables and words; and those as committed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evidence import first_to_spike
from tests.evidence import first_to_spike_points as points
from tests.evidence.page import read_csv
from tlm.workload.recipe import GLMRecipe
from tlm.workload.training.datasets import DataSet, DataSplit
from tlm.workload.training.glm.training import input_spikes, train

RECIPE = GLMRecipe(
    name="halves",
    dataset="mnist",
    outputs=2,
    steps=5,
    taps=5,
    functions=2,
    epochs=30,
    training_batch=20,
    learning_rate=0.1,
    seed=1,
)


def halves(count: int) -> DataSplit:
    """Images of 2 x 2 pixels with a bright row: the class is the row."""
    labels = np.arange(count) % 2
    inputs = np.zeros((count, 1, 2, 2), np.uint8)
    inputs[np.arange(count), 0, labels] = 230
    return DataSplit(inputs, labels)


DATASET = DataSet("halves", "", "", halves(40), halves(20), 0.0, 255.0)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The committed figures."""
    return read_csv(points.RESULTS)


def test_page_tells_what_was_measured(rows) -> None:
    """The page holds the section that the committed figures make."""
    assert first_to_spike.section(rows).strip() in first_to_spike.PAGE.read_text(encoding="utf-8")


def test_committed_figures_are_whole_and_of_the_recipes(rows) -> None:
    """Both tasks, every step, device count and sampler, by the epochs and seed of now."""
    for recipe in first_to_spike.RECIPES:
        mine = [row for row in rows if row["task"] == recipe.name]
        assert {row["epochs"] for row in mine} == {str(recipe.epochs)}
        assert {row["training_seed"] for row in mine} == {str(recipe.seed)}
        for name in first_to_spike.CURVES:
            assert len(points.curve(rows, recipe.name, name)) == recipe.steps
        for name in ("rounded", "tuned"):
            assert len(points.curve(rows, recipe.name, name)) == len(points.DEVICES)
        for name in ("table less sigmoid", "register less ideal"):
            samplers = {row["setting"] for row in mine if row["quantity"] == name}
            assert samplers == {" ".join(map(str, sampler)) for sampler in points.SAMPLERS}


def test_accuracy_is_far_above_chance(rows) -> None:
    """At the last step of both tasks, by every rule; the ANN is not beaten by much."""
    for recipe in first_to_spike.RECIPES:
        last = [points.curve(rows, recipe.name, name)[-1] for name in first_to_spike.CURVES]
        assert min(last) > 0.85
        ann = first_to_spike.value(rows, recipe, "ANN", "after all steps")
        assert max(last) < ann + 0.02


def test_registers_that_are_shifted_by_their_width_are_as_good_as_ideal_draws(rows) -> None:
    """No more than one of their intervals misses 0, and no difference reaches half a point."""
    wide = [
        row
        for row in rows
        if row["quantity"] == "register less ideal"
        and first_to_spike.whole_draw(row)
        and first_to_spike.register_bits(row) > 8
    ]
    assert len(wide) == 14
    misses = [row for row in wide if abs(float(row["mean"])) > float(row["half_width"])]
    assert len(misses) <= 1
    assert max(abs(float(row["mean"])) for row in wide) < 0.005


def test_figures_of_a_small_task_agree_with_each_other() -> None:
    """Spikes alone are right no more often than with potentials; reads end at the decision."""
    network = train(RECIPE, "first-to-spike", DATASET)
    S = input_spikes(DATASET, DATASET.test, RECIPE.steps, (3,))
    U = network.potentials(S)
    figures = dict(points.first_spike_figures(S, U, DATASET.test.labels, 1))
    for step in range(1, RECIPE.steps + 1):
        alone = figures["first spike alone", str(step)]
        assert alone <= figures["first spike, or potential", str(step)]
    assert figures["first spike alone", "5"] > 0.8
    assert 1 <= figures["early stop", "mean steps"] < 5
    assert 0 < figures["early stop", "share of input spikes"] < 1


def test_softmax_regression_learns() -> None:
    """Rows that a line tells apart are told apart."""
    weights, bias = points.softmax_regression(RECIPE, DATASET)
    mean = input_spikes(DATASET, DATASET.test, RECIPE.steps, (3,)).mean(0)
    assert ((mean @ weights + bias).argmax(1) == DATASET.test.labels).all()


def test_an_interval_is_that_of_the_mean() -> None:
    """Twenty values of standard deviation 1: half of the interval is 2.093 / sqrt(20)."""
    drawn = [*([-1.0] * 10), *([1.0] * 10)]
    row = points.row(RECIPE, ("x", "y"), [value * (19 / 20) ** 0.5 for value in drawn])
    assert float(row["mean"]) == pytest.approx(0, abs=1e-9)
    assert float(row["half_width"]) == pytest.approx(2.093 / 20**0.5, rel=1e-2)
