"""Section "Pattern retention": how far an output is from its pattern, and what its synapses cost.

``python -m tests.evidence.retention --train [--bits B ...] [--density D ...]`` trains points of the
plane of width and density (torch; half a minute a point) and keeps them in
``docs/studies/retention.csv``, data with the bundled recipe and seed. Without ``--train`` it writes
section and figure: energies are computed anew from the points each time.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from tests.evidence.page import DOCS, update_csv
from tlm.workload.recipe import RetentionRecipe
from tlm.workload.training.record import load_recipe

RESULTS = DOCS / "studies" / "retention.csv"
BITS = (2, 3, 4, 5, 8, 16)
DENSITIES = (1.0, 0.65, 0.3, 0.1)
KEYS = ("bits", "pruned_to")

Row = dict[str, str]


def recipe(bits: int, density: float) -> RetentionRecipe:
    """The bundled recipe at another point of the plane."""
    bundled = load_recipe("pattern-retention")
    assert isinstance(bundled, RetentionRecipe)
    return replace(bundled, weight_bits=bits, density=density)


def train_point(bits: int, density: float) -> Row:
    """Train one point; its distance and the densities that its weights end with."""
    from tlm.workload.training.retention.loop import RetentionTraining

    training = RetentionTraining(recipe(bits, density))
    for number in range(training.recipe.epochs):
        training.epoch(number)
    return {
        "bits": str(bits),
        "pruned_to": str(density),
        "epochs": str(training.recipe.epochs),
        "seed": str(training.recipe.seed),
        "distance": f"{training.forward_backward():.3f}",
        "silence": f"{training.silence:.3f}",
        "density_0": f"{training.synapses[0].density:.4f}",
        "density_1": f"{training.synapses[1].density:.4f}",
    }


def main(arguments: list[str]) -> None:
    """Train some or all points, or write the section from those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="train the points first")
    parser.add_argument("--bits", nargs="+", type=int, default=BITS)
    parser.add_argument("--density", nargs="+", type=float, default=DENSITIES)
    asked = parser.parse_args(arguments)
    for density in asked.density if asked.train else ():
        for bits in asked.bits:
            update_csv(RESULTS, KEYS, [train_point(bits, density)])


if __name__ == "__main__":
    main(sys.argv[1:])
