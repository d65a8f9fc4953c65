"""Train a retention recipe and write its recorded job."""

from __future__ import annotations

from pathlib import Path

from tlm.workload.capture import Capture
from tlm.workload.recipe import RetentionRecipe
from tlm.workload.training.loop import Progress
from tlm.workload.training.retention.grid import KEPT_BITS
from tlm.workload.training.retention.loop import RetentionTraining, train


def record_retention(recipe: RetentionRecipe, out: Path, progress: Progress | None) -> Path:
    """Train ``recipe`` and write its job to ``out``.

    The job's accuracy is 1 - distance / that of a silent output, with the weights at the end; 0 if
    silence is nearer to the pattern.
    """
    training = RetentionTraining(recipe)
    capture = Capture(training.network, steps=recipe.steps, encoding=recipe.encoding)
    train(training, capture, progress)
    distance = training.forward_backward()
    written = capture.save(
        out,
        level=recipe.levels,
        name=recipe.name,
        dataset="one spike pattern, drawn from a seed",
        licence="none needed: the pattern is this project's own",
        accuracy=max(0.0, 1 - distance / training.silence),
        optimizer="adam",
        provenance=_provenance(training, distance),
    )
    return written.path


def _provenance(training: RetentionTraining, distance: float) -> dict[str, str]:
    recipe = training.recipe
    densities = " and ".join(f"{synapses.density:.3f}" for synapses in training.synapses)
    return {
        "recipe": recipe.name,
        "data": (
            f"inputs of {recipe.input_rate_hz:g} Hz, target the letters T L M over neurons and "
            f"time, steps of {recipe.step_ms:g} ms, pattern seed {recipe.pattern_seed}"
        ),
        "training": (
            f"Adamax, learning rate {recipe.learning_rate:g}, {recipe.epochs} epochs of the one "
            f"pattern, seed {recipe.seed}, van Rossum distance with {recipe.filter_ms:g} ms; "
            "the job's updates are counted as Adam's"
        ),
        "weights": (
            f"{recipe.weight_bits} bits, trained in {KEPT_BITS} with random rounding; shares that "
            f"are not zero {densities}"
        ),
        "accuracy": f"1 - {distance:.2f} / {training.silence:.2f}, the distance of silence",
    }
