"""Train a bundled recipe and write its recording."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from tlm.errors import WorkloadError
from tlm.workload.bundled import SUFFIX, bundled_folder, unknown_name
from tlm.workload.recipe import (
    AnyRecipe,
    DetectionRecipe,
    FederatedRecipe,
    GLMRecipe,
    Recipe,
    RetentionRecipe,
)
from tlm.workload.training.datasets import DataSet, load
from tlm.workload.training.glm.recording import record_glm

if TYPE_CHECKING:
    from tlm.workload.capture import Capture
    from tlm.workload.training.loop import Progress, TrainingJob


def recipe_names() -> list[str]:
    """Names of the bundled recipes, sorted."""
    return sorted(path.stem.replace("_", "-") for path in bundled_folder().glob("*.py"))


def record(
    name: str, data: Path | None, out: Path | None, progress: Progress | None = None
) -> Path:
    """Train recipe ``name`` and write its recorded job to ``out`` (default: ``<name>.h5`` here).

    A federated recipe leaves a folder (default: ``<name>`` here), which must not exist yet.
    ``data`` is the folder of the data set's files; MNIST and digits come from installed wheels
    without one. ``progress`` is called with (iterations done, in all), but for GLM neurons. Raises
    WorkloadError if the recipe, torch or the data are missing, or if the file cannot be written.
    """
    recipe = load_recipe(name)
    suffix = "" if isinstance(recipe, FederatedRecipe) else SUFFIX
    return record_recipe(recipe, data, out or Path(f"{name}{suffix}"), progress)


def record_recipe(
    recipe: AnyRecipe, data: Path | None, out: Path, progress: Progress | None = None
) -> Path:
    """Train ``recipe`` and write its recorded job to ``out``, as :func:`record` does."""
    if isinstance(recipe, GLMRecipe):
        return record_glm(recipe, load(recipe.dataset, data, recipe.steps), out)
    require_torch()
    if isinstance(recipe, RetentionRecipe):
        from tlm.workload.training.retention.recording import record_retention

        return record_retention(recipe, out, progress)
    if isinstance(recipe, FederatedRecipe):
        from tlm.workload.training.federated.recording import record_federated

        return record_federated(recipe, data, out, progress)
    from tlm.workload.training.loop import train

    job = _prepared(recipe, load(recipe.dataset, data, recipe.steps))
    capture = capture_of(job)
    train(job, capture, progress)
    return save(job, capture, job.accuracy(), out)


def _prepared(recipe: Recipe | DetectionRecipe, dataset: DataSet) -> TrainingJob:
    if isinstance(recipe, DetectionRecipe):
        from tlm.workload.training.detection.detection import prepare_detection

        return prepare_detection(recipe, dataset)
    from tlm.workload.training.loop import prepare

    return prepare(recipe, dataset)


def load_recipe(name: str) -> AnyRecipe:
    """The recipe ``name`` from its file in the bundled folder.

    Raises WorkloadError with the nearest name if there is none.
    """
    if name not in recipe_names():
        raise unknown_name(name, recipe_names(), "recipe")
    path = bundled_folder() / f"{name.replace('-', '_')}.py"
    # Not imported: an import would leave compiled files beside the recipes.
    recipe = runpy.run_path(str(path)).get("RECIPE")
    if not isinstance(recipe, AnyRecipe):
        raise WorkloadError(f"{path}: expected RECIPE to be a Recipe, got {type(recipe).__name__}")
    return recipe


def require_torch() -> None:
    """Raise WorkloadError naming the extra to install if torch is missing."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise WorkloadError(
            "recording needs torch: install the extra 'capture' (pip install 'snn-tlm[capture]')"
        ) from error


def capture_of(job: TrainingJob) -> Capture:
    """A recorder of the job's network."""
    from tlm.workload.capture import Capture

    return Capture(job.network, steps=job.recipe.steps, encoding=job.recipe.encoding)


def save(job: TrainingJob, capture: Capture, accuracy: float, out: Path) -> Path:
    """Write what ``capture`` recorded of a job whose test accuracy is ``accuracy``."""
    recipe, dataset = job.recipe, job.dataset
    written = capture.save(
        out,
        level=recipe.levels,
        name=recipe.name,
        dataset=dataset.title,
        licence=dataset.licence,
        accuracy=accuracy,
        optimizer="adam",
        provenance=_provenance(job),
    )
    return written.path


def _provenance(job: TrainingJob) -> dict[str, str]:
    recipe, dataset = job.recipe, job.dataset
    return {
        "recipe": recipe.name,
        "data": dataset.source,
        "pixel scaling": f"(pixel - {dataset.offset:g}) / {dataset.scale:g}",
        "training": (
            f"Adam, learning rate {recipe.learning_rate:g} falling as a cosine, "
            f"{recipe.epochs} epochs of mini-batches of {recipe.training_batch}, "
            f"seed {recipe.seed}, {job.aim}"
        ),
        "recorded": f"the first {recipe.batch} samples of the iteration's mini-batch",
        "initial weights": job.start,
    }
