"""Inference as a job: the first samples of a recording, each until it stops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.jobs import Densities, job, linear
from tlm.errors import ConfigError, WorkloadError
from tlm.workload import open_workload
from tlm.workload.inference import as_inference, stop_steps


@pytest.mark.parametrize("name", ["mnist-fc", "mnist-fc-t25"])
def test_it_has_the_forward_tensors_of_the_first_samples(name: str) -> None:
    """Inputs and spikes as recorded, of an image or of all steps; no gradient."""
    trained = open_workload(name)
    some = as_inference(trained, 3)
    whole, part = trained.load(0), some.load(0)
    assert (some.batch, some.mode, some.sha256) == (3, "inference", trained.sha256)
    assert part.inputs.shape == some.input_shape
    direct = trained.encoding == "direct"
    first = whole.inputs[:3] if direct else whole.inputs[:, :3]
    assert np.array_equal(part.inputs, first)
    for mine, theirs in zip(part.spikes, whole.spikes, strict=True):
        assert np.array_equal(mine, theirs[:, :3])
    assert not any(values.any() for values in (*part.masks, *part.dU, *part.dY))
    assert part.running.all()


def test_a_sample_stops_with_its_first_output_spike() -> None:
    """By hand: no spike at all, one in the first step, two in one step, one in the last."""
    _, recording = job(linear(4, 3), steps=3, batch=4, densities=Densities(spikes=0.0))
    recording.spikes[-1][0, 1, 2] = True
    recording.spikes[-1][1, 2, :2] = True
    recording.spikes[-1][2, 1:, 0] = True
    assert stop_steps(recording).tolist() == [2, 0, 1, 2]


@given(st.integers(0, 1000), st.floats(0, 1))
def test_no_output_spikes_before_a_sample_stops(seed: int, density: float) -> None:
    """None before its stop step; one in it, unless it is the last step."""
    densities = Densities(spikes=density)
    _, recording = job(linear(4, 3), steps=4, batch=3, seed=seed, densities=densities)
    stops = stop_steps(recording)
    assert stops.shape == (3,)
    for sample, stop in enumerate(stops):
        spiked = recording.spikes[-1][:, sample].any(axis=(1, 2, 3))
        assert not spiked[:stop].any()
        assert spiked[stop] or stop == 3
    running = replace(recording, steps_run=stops + 1).running
    assert running.sum(axis=0).tolist() == (stops + 1).tolist()


@pytest.mark.parametrize("batch", [0, 17, 1.5, "1"])
def test_a_batch_that_was_not_recorded_is_refused(batch: int) -> None:
    """In one line with the number of samples there are."""
    with pytest.raises(WorkloadError, match=r"16 recorded samples, not .+ whole number from 1 to"):
        as_inference(open_workload("mnist-fc"), batch)


def test_a_read_out_cannot_stop_a_sample() -> None:
    """Its layer is named; so is what can be done."""
    with pytest.raises(WorkloadError, match=r"read-out without neurons.*use all-steps"):
        as_inference(open_workload("cifar-vgg8"), stop="first-spike")


def test_a_rule_that_does_not_exist_is_refused() -> None:
    """With the rules that there are."""
    with pytest.raises(ConfigError, match="all-steps, first-spike"):
        as_inference(open_workload("mnist-fc"), stop="soon")  # type: ignore[arg-type]
