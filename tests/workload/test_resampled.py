"""A recorded job with another B or T: its own samples and steps, taken in turn."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.program.graphs import add, builder, recording, workload
from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Recording, Workload, open_shipped, open_workload
from tlm.workload.resampled import resampled


def test_more_samples_are_the_recorded_ones_in_turn() -> None:
    """Samples 0..15 of digits, then 0..15 again, then 0 and 1."""
    recorded, more = open_workload("digits"), open_workload("digits[B=34]")
    whole, part = recorded.load(0), more.load(0)
    assert (more.batch, more.steps) == (34, recorded.steps)
    assert part.inputs.shape == more.input_shape
    assert np.array_equal(part.inputs[16:32], whole.inputs)
    for tensors in ("spikes", "masks", "dU", "dY"):
        for mine, theirs in zip(getattr(part, tensors), getattr(whole, tensors), strict=True):
            assert np.array_equal(mine[:, :16], theirs)
            assert np.array_equal(mine[:, 32:], theirs[:, :2])


def test_other_steps_are_the_recorded_ones_stretched() -> None:
    """T = 40 of T = 20 has every step of events twice, T = 10 every other step once."""
    whole = open_workload("nmnist-cnn").load(0)
    twice, half = (open_workload(f"nmnist-cnn[T={steps}]").load(0) for steps in (40, 10))
    assert np.array_equal(twice.inputs[::2], whole.inputs)
    assert np.array_equal(twice.inputs[1::2], whole.inputs)
    assert np.array_equal(half.spikes[-1], whole.spikes[-1][::2])


def test_it_is_marked_and_has_a_digest_of_its_own() -> None:
    """A figure of samples that repeat is not one of samples that were recorded."""
    recorded, more = open_workload("digits"), open_workload("digits[B=32]")
    assert more.activity == "recorded, resampled from B=16, T=8"
    assert more.sha256 != recorded.sha256
    assert set(more.levels) == {"value"}, "dW of other samples cannot be rebuilt"


@dataclass(frozen=True)
class Drawn:
    """A recording in place of a file's."""

    recorded: Recording
    activity: str = "recorded"
    seed: None = None

    def recording(self, workload: Workload, position: int) -> Recording:
        """The same each time."""
        return self.recorded


def test_dY_of_a_current_that_a_shortcut_adds_is_its_own() -> None:
    """It is not dU: what the later layer returns joins it."""
    net = builder((2, 4, 4))
    first = net.conv(3, kernel=3, padding=1)
    second = net.conv(3, kernel=3, padding=1)
    add(net, second, first)
    job = workload(net.layers)
    whole = recording(job)
    assert not np.array_equal(whole.dY[first], whole.dU[first])
    more = resampled(replace(job, tensors=Drawn(whole)), "B=4").load(0)
    assert np.array_equal(more.dY[first][:, 2:], whole.dY[first])


def test_its_own_sizes_are_the_job_itself() -> None:
    """Nothing is marked that was not changed."""
    assert open_workload("digits[B=16,T=8]") == open_workload("digits")


def test_a_run_of_it_can_be_named_by_data(tmp_path: Path) -> None:
    """What a manifest names is opened among the jobs that ship, and no path is followed."""
    assert open_shipped("digits[B=32]").batch == 32
    with pytest.raises(WorkloadError, match="ships"):
        open_shipped(f"{tmp_path}/digits.h5[B=32]")


def test_answers_of_inference_are_resampled_with_their_samples() -> None:
    """Three samples of 32 have their three answers."""
    few = open_workload("spinaps-mnist[B=3]").load(0)
    every = open_workload("spinaps-mnist").load(0)
    assert few.answers is not None and every.answers is not None
    assert few.answers.labels.tolist() == every.answers.labels[:3].tolist()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits[B=0]", "expected B and T"),
        ("digits[B=2,B=3]", "each once"),
        ("digits[B=9999]", "expected B and T, 1 to 4096"),
        ("spinaps-mnist[T=3]", "after T=16 steps"),
        ("digit[B=2]", 'unknown workload "digit"'),
    ],
)
def test_what_cannot_be_resampled_is_refused(name: str, words: str) -> None:
    """In one line that says what was expected."""
    with pytest.raises(WorkloadError) as refusal:
        open_workload(name)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_twice_the_samples_leave_twice_the_operations(tmp_path: Path) -> None:
    """All laws hold, and FP does twice the useful MACs of the recorded samples."""
    runs = [
        run_job(name, out=tmp_path / str(at), trace="off")
        for at, name in enumerate(("digits", "digits[B=32]"))
    ]
    assert all(run.ok for run in runs)
    operations = [run.summary.synaptic.operations for run in runs]
    assert operations[1] == 2 * operations[0]
