"""Part "Learning" of the page on first-to-spike inference: accuracy by step, devices, sampling.

``python -m tests.evidence.first_to_spike --train mnist FOLDER`` trains and samples the digits (five
minutes of a CPU core), ``--train basic-motions FOLDER`` the motions (half a minute), and keeps the
figures in ``docs/studies/first_to_spike.csv``. Without ``--train`` it writes section and figure.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from tlm_analysis.plots.fabric import Curve, CurvePanel, panel_figure, write_png

from tests.evidence.first_to_spike_points import (
    DEVICES,
    KEYS,
    RESULTS,
    SAMPLERS,
    Row,
    curve,
    measure,
)
from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tlm.validation.markdown import table
from tlm.workload.glm.decision import steps_to_share
from tlm.workload.recipe import GLMRecipe
from tlm.workload.training.record import load_recipe, recipe_names

RECIPES = [recipe for name in recipe_names() if isinstance(recipe := load_recipe(name), GLMRecipe)]
PAGE = DOCS / "spinaps.md"
FIGURE = DOCS / "figures" / "first-to-spike.png"
SHARE = 0.75
WIDTH = 100  # of a line of the page
CURVES = ("first spike, or potential", "first spike alone", "rate rule")
NAMES = {"mnist": "MNIST", "basic-motions": "BasicMotions"}


def section(rows: Sequence[Row]) -> str:
    """Networks, rules of decision, and the tables."""
    return f"""## Learning

Inputs and outputs of two layers, all of them connected; outputs are GLM neurons, which spike at
random with probability g(u) = 1 / (1 + exp(-u)). u is a bias and the sum over all inputs of their
last spikes, seen through K raised cosines of time with a weight each. Training makes the likelihood
large that the output of the right class spikes first and alone (`tlm/workload/glm`: rule,
gradient, sampling; equations of Bagheri, Simeone and Rajendran, arXiv 1710.10704, derived here from
the likelihood and held against finite differences and against all outcomes of a small network).
Beside it stand the conventional rule, by which the right output spikes at every step and the others
never, read by the most spikes so far; and an ANN with a weight for each pair of input and output:
softmax regression of the mean input spikes of all steps.

{networks_table(rows)}

MNIST here is its test set, split by a fixed seed; a pixel p spikes with probability p / 255 at
every step. BasicMotions keeps the split it comes with; a step takes up the next half second, a
sample x of a signal spikes with probability sqrt(|x| / full scale) at an input for its sign. Inputs
are drawn anew for each of the drawings of the test part that means and intervals (95 %) are taken
over. They do not include the chance that lies in the seed of training, nor in the samples that
happen to be in the test part: a recording of BasicMotions is 2.5 points.
{seeds_words(rows)}
T, K and the epochs were chosen by hand with an eye on the accuracy: proof of learning, not a
benchmark.

**Decision.** The first output spike decides. If several come at once, the lowest index wins, as in
a priority encoder. Without a spike by the step at which the answer is due, the highest potential
wins.

{decision_table(rows)}

The published 75 % of the final accuracy in 4 steps does not say which of these readings it means.
Accuracy by step, with the answer due at that step:

{steps_table(rows)}

![first to spike](figures/{FIGURE.name})

{steps_sentence(rows)}

**Devices.** A weight is a sum of n binary devices that count 1, 2, 4, ..: step x (code -
(2^n - 1) / 2). The offset gives the sign and is taken off once for every input spike; zero is no
value. The step has the least squared error over the weights, each counted as often as its input
spikes. Accuracy of first-to-spike decisions when the trained weights are rounded, and when they
are trained on for a tenth of the epochs, straight through the rounding; the bias is a register of
the neuron and keeps its width:

{devices_table(rows)}

**Sampling.** A Galois shift register of maximal length for each neuron, shifted some times a draw;
a table of g with 2^address entries over -8..8, the first of them 0; a spike where the register's
low bits are less than the entry. In percentage points of accuracy: what the table's probabilities
do to ideal draws, and what the register does that draws in their place. Ideal draws enter with
their expected accuracy for the same inputs, so that chance is that of the register alone:

{sampling_table(rows)}

{sampling_sentence(rows)}
"""


def value(rows: Sequence[Row], recipe: GLMRecipe, quantity: str, setting: str) -> float:
    """Mean of a figure."""
    return float(entry(rows, recipe, quantity, setting)["mean"])


def entry(rows: Sequence[Row], recipe: GLMRecipe, quantity: str, setting: str) -> Row:
    """The row of a figure."""
    key = (recipe.name, quantity, setting)
    return next(row for row in rows if tuple(row[name] for name in KEYS) == key)


def percent(row: Row) -> str:
    """A share with its interval, in percent."""
    return f"{100 * float(row['mean']):.1f} +- {100 * float(row['half_width']):.1f}"


def networks_table(rows: Sequence[Row]) -> str:
    """Shapes and data of both tasks."""
    lines = [
        (
            NAMES[recipe.dataset],
            f"{value(rows, recipe, 'inputs', 'neurons'):.0f}-{recipe.outputs}",
            f"{recipe.steps}, {recipe.taps}, {recipe.functions}",
            f"{value(rows, recipe, 'trained on', 'samples'):,.0f}",
            f"{value(rows, recipe, 'tested on', 'samples'):,.0f}",
            str(recipe.epochs),
            entry(rows, recipe, "ANN", "after all steps")["seeds"],
        )
        for recipe in RECIPES
    ]
    head = ("task", "network", "T, taps, K", "trained on", "tested on", "epochs", "drawings")
    return table(head, lines)


def seeds_words(rows: Sequence[Row]) -> str:
    """Accuracies with other seeds of training."""
    parts = []
    for recipe in RECIPES:
        others = curve(rows, recipe.name, "training seed")
        parts.append(f"{NAMES[recipe.dataset]} {', '.join(f'{100 * x:.1f}' for x in others)} %")
    return f"First-to-spike from two other seeds of training: {'; '.join(parts)}."


def decision_table(rows: Sequence[Row]) -> str:
    """What is decided, how, and when; a column a task."""

    def line(text: str, quantity: str, setting: str | None = None) -> tuple[str, ...]:
        return (
            text,
            *(
                percent(entry(rows, recipe, quantity, setting or str(recipe.steps)))
                for recipe in RECIPES
            ),
        )

    quarter = [
        (
            f"step of {SHARE:.0%} of the last accuracy, {name}",
            *(str(steps_to_share(np.array(curve(rows, r.name, name)), SHARE)) for r in RECIPES),
        )
        for name in CURVES
    ]
    mean = [f"{value(rows, r, 'early stop', 'mean steps'):.1f} of {r.steps}" for r in RECIPES]
    spikes = [f"{value(rows, r, 'input spikes', 'a step and sample'):.1f}" for r in RECIPES]
    lines = [
        line("accuracy, first spike, or potential without one, %", CURVES[0]),
        line("accuracy, first spike alone (silence is wrong), %", CURVES[1]),
        line("accuracy, rate rule, %", CURVES[2]),
        line("accuracy, ANN, %", "ANN", "after all steps"),
        *quarter,
        ("mean step of the decision", *mean),
        ("input spikes a step", *spikes),
        line("input spikes up to the decision, % of all", "early stop", "share of input spikes"),
        line("samples with a tie, %", "ties", "share of samples"),
        line("gain if ties went to the highest potential, points", "ties", "gain by potential"),
        line("samples without a spike, %", "no spike", "share of samples"),
    ]
    return table(("", *(NAMES[recipe.dataset] for recipe in RECIPES)), lines)


def steps_table(rows: Sequence[Row]) -> str:
    """Accuracy by step, a line for each reading of each task; every second step from step 4."""
    most = max(recipe.steps for recipe in RECIPES)
    chosen = [1, 2, 3, *range(4, most + 1, 2)]
    lines = []
    for recipe in RECIPES:
        for name in CURVES:
            values = curve(rows, recipe.name, name)
            cells = [f"{100 * values[t - 1]:.1f}" if t <= len(values) else "" for t in chosen]
            lines.append((NAMES[recipe.dataset], name, *cells))
    return table(("task", "answer", *map(str, chosen)), lines)


def steps_sentence(rows: Sequence[Row]) -> str:
    """What the curves say of learning to wait."""
    parts = [
        f"{100 * value(rows, recipe, 'first spike alone', str(recipe.steps // 2)):.0f} % of "
        f"{NAMES[recipe.dataset]}"
        for recipe in RECIPES
    ]
    return fill(
        "The rule learns when to speak as well as what to say: outputs stay silent while the input "
        f"is not clear. After half of the steps first spikes have answered {' and '.join(parts)} "
        "rightly, and the potentials of silent neurons would answer many of the others.",
        WIDTH,
    )


def devices_table(rows: Sequence[Row]) -> str:
    """Accuracy by devices a weight."""
    lines = []
    for recipe in RECIPES:
        for name in ("rounded", "tuned"):
            cells = [percent(entry(rows, recipe, name, str(count))) for count in DEVICES]
            float64 = percent(entry(rows, recipe, "expected", "float64"))
            lines.append((f"{NAMES[recipe.dataset]}, {name}", *cells, float64))
    return table(("devices", *map(str, DEVICES), "float64"), lines)


def sampling_table(rows: Sequence[Row]) -> str:
    """Differences to the sigmoid and to ideal draws, a pair of columns a task."""
    lines = []
    for sampler in SAMPLERS:
        setting = " ".join(map(str, sampler))
        cells = [
            percent(entry(rows, recipe, quantity, setting))
            for recipe in RECIPES
            for quantity in ("table less sigmoid", "register less ideal")
        ]
        lines.append((*map(str, sampler), *cells))
    names = [f"{NAMES[r.dataset]}, {part}" for r in RECIPES for part in ("table", "register")]
    return table(("register bits", "shifts a draw", "address bits", "table bits", *names), lines)


def sampling_sentence(rows: Sequence[Row]) -> str:
    """What narrow tables and what registers do to the accuracy."""
    tables = [float(row["mean"]) for row in rows if row["quantity"] == "table less sigmoid"]
    every = [row for row in rows if row["quantity"] == "register less ideal"]
    wide = [row for row in every if whole_draw(row) and register_bits(row) > 8]
    others = [row for row in every if row not in wide]
    return fill(
        f"Tables change the accuracy by {100 * min(tables):+.1f} to {100 * max(tables):+.1f} "
        "points: a narrow one rounds small probabilities to 0, and of these the first spikes are "
        "made that come too early. Registers of 12 bits and more that are shifted by their width "
        f"for a draw cannot be told from ideal draws ({apart(wide)}). Registers of 8 bits, or "
        f"shifted once a draw, can ({apart(others)}): 8 bits are never 0, so an entry of 1 never "
        "lets a neuron spike, and after one shift a draw holds most bits of the one before.",
        WIDTH,
    )


def register_bits(row: Row) -> int:
    """Width of a sampler's register."""
    return int(row["setting"].split()[0])


def whole_draw(row: Row) -> bool:
    """Whether a sampler's register is shifted by its width for a draw."""
    width, shifts, *_ = row["setting"].split()
    return width == shifts


def apart(rows: Sequence[Row]) -> str:
    """How many intervals do not hold 0, beside what chance makes, and the largest difference."""
    means = [float(row["mean"]) for row in rows]
    count = sum(abs(float(row["mean"])) > float(row["half_width"]) for row in rows)
    return (
        f"{count} of {len(rows)} intervals do not hold 0, by chance {0.05 * len(rows):.1f}; "
        f"differences {100 * min(means):+.1f} to {100 * max(means):+.1f} points"
    )


def figure(rows: Sequence[Row]) -> Path:
    """Accuracy by step and by devices, a row a task."""
    panels = []
    for recipe in RECIPES:
        name, steps = NAMES[recipe.dataset], range(1, recipe.steps + 1)
        by_step = [
            Curve(label, steps, curve(rows, recipe.name, label), group=group)
            for group, label in enumerate(CURVES)
        ]
        ann = value(rows, recipe, "ANN", "after all steps")
        by_step.append(Curve("ANN, all steps", [recipe.steps], [ann], reference=True, group=3))
        by_devices = [
            Curve(label, DEVICES, curve(rows, recipe.name, label), group=group)
            for group, label in enumerate(("tuned", "rounded"))
        ]
        panels += [
            CurvePanel(name, by_step, "step at which the answer is due", "accuracy", 1.02),
            CurvePanel(name, by_devices, "binary devices a weight", "accuracy", 1.02, 0.6),
        ]
    return write_png(panel_figure(panels, columns=2), FIGURE)


def main(arguments: Sequence[str]) -> None:
    """Train and sample a task, or write section and figure from what is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", nargs=2, metavar=("TASK", "FOLDER"))
    options = parser.parse_args(arguments)
    if options.train:
        task, folder = options.train
        recipe = next(recipe for recipe in RECIPES if recipe.dataset == task)
        update_csv(RESULTS, KEYS, measure(recipe, Path(folder)))
        return
    rows = read_csv(RESULTS)
    figure(rows)
    replace_section(PAGE, "learning", section(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
