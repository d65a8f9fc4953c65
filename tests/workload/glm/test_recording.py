"""A recipe of GLM neurons, trained and recorded as a job for inference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.workload.glm.test_training import DATASET as STRIPES
from tests.workload.glm.test_training import RECIPE
from tlm.errors import WorkloadError
from tlm.workload import open_workload
from tlm.workload.glm.devices import codes
from tlm.workload.golden import check_recording
from tlm.workload.training.glm import recording
from tlm.workload.training.record import record_recipe

SMALL = replace(RECIPE, batch=12, devices=3)
DATASET = replace(STRIPES, licence="CC0", source="drawn")


def test_a_recipe_becomes_a_job_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, tuned, sampled and written: most answers right, weights of 8 values, no flip."""
    monkeypatch.setattr("tlm.workload.training.record.load", lambda *_: DATASET)
    path = record_recipe(SMALL, None, tmp_path / "stripes.h5")
    job = open_workload(str(path))
    (agreement,) = check_recording(job, 0)
    assert agreement.holds() and agreement.neuron_steps == 6 * 12 * 3
    assert job.accuracy > 0.8
    assert job.iterations == (44 * 3,)  # 40 epochs and 4 of tuning, of 3 mini-batches each
    loaded, values = job.load(0), job.load_values(0)
    assert np.array_equal(loaded.answers.labels, DATASET.test.labels[:12])
    (neuron,) = (layer.neuron for layer in job.layers)
    assert neuron == SMALL.neuron(neuron.weight_step)
    weights = values.parameters[0].weights.astype(np.float64)
    assert len(np.unique(codes(weights, 3, neuron.weight_step))) == len(np.unique(weights)) <= 8


def test_nothing_is_left_where_the_golden_model_disagrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registers that are recorded in another state than they were in: no file."""
    values = recording._values

    def other(*arguments):
        right = values(*arguments)
        return replace(right, registers=(right.registers[0] ^ np.uint64(12),))

    monkeypatch.setattr(recording, "_values", other)
    with pytest.raises(WorkloadError, match="beyond rounding"):
        recording.record_glm(SMALL, DATASET, tmp_path / "stripes.h5")
    assert list(tmp_path.iterdir()) == []
