"""Pattern retention: the pattern, the grid of the weights, current-based neurons, a small job."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.running.runner import run_job
from tlm.workload import open_workload
from tlm.workload.golden import check_recording
from tlm.workload.golden.neuron import replay
from tlm.workload.recipe import RetentionRecipe
from tlm.workload.training.record import load_recipe, record_recipe
from tlm.workload.training.retention.pattern import draw_pattern, near_strokes

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs the extra 'capture'"
)


def bundled() -> RetentionRecipe:
    """The bundled recipe."""
    recipe = load_recipe("pattern-retention")
    assert isinstance(recipe, RetentionRecipe)
    return recipe


def test_the_pattern_is_that_of_its_seed() -> None:
    """The same seed draws the same spikes, another one others, whatever the weights are."""
    first, again = draw_pattern(bundled()), draw_pattern(replace(bundled(), weight_bits=2, seed=9))
    assert np.array_equal(first.inputs, again.inputs)
    assert np.array_equal(first.target, again.target)
    other = draw_pattern(replace(bundled(), pattern_seed=2))
    assert (other.inputs != first.inputs).any() and (other.target != first.target).any()


def test_inputs_spike_at_their_rate_and_the_target_near_strokes_alone() -> None:
    """25 Hz in steps of 1 ms within 5 standard errors; targets on all letters, none elsewhere."""
    pattern = draw_pattern(bundled())
    assert pattern.inputs.shape == (250, 1, 700) and pattern.target.shape == (250, 1, 250)
    error = (0.025 * 0.975 / pattern.inputs.size) ** 0.5
    assert abs(pattern.inputs.mean() - 0.025) < 5 * error
    target = pattern.target[:, 0]
    assert not (target & ~near_strokes(250, 250)).any()
    letters = target[:90], target[90:160], target[160:]
    assert all(letter.sum() > 100 for letter in letters)


@needs_torch
@settings(max_examples=25)
@given(bits=st.integers(2, 16), exponent=st.integers(-6, 0), seed=st.integers(0, 99))
def test_quantised_weights_have_their_width_and_keep_zeros(
    bits: int, exponent: int, seed: int
) -> None:
    """Whole steps of a power of two, at most 2^(bits - 1) - 1 of them; the nearest within reach."""
    import torch

    from tlm.workload.training.retention.grid import quantised

    limit = 2.0**exponent
    step = limit / 2 ** (bits - 1)
    drawn = torch.randn(500, generator=torch.Generator().manual_seed(seed)) * limit
    drawn[:50] = 0
    steps = (quantised(drawn, bits, limit) / step).numpy()
    assert np.array_equal(steps, np.round(steps))
    assert np.abs(steps).max() <= 2 ** (bits - 1) - 1
    assert not steps[:50].any()
    inside = np.abs(drawn.numpy()) <= limit - step
    assert (np.abs(steps * step - drawn.numpy())[inside] <= step / 2).all()


@needs_torch
def test_rounding_at_random_keeps_the_mean() -> None:
    """A weight 0.3 of a step above the grid goes up in 30 % of all cases, within 5 errors."""
    import torch

    from tlm.workload.training.retention.grid import KEPT_BITS, rounded_at_random

    step = 2.0 ** (1 - KEPT_BITS)
    weights = torch.full((10000,), 7.3 * step)
    steps = rounded_at_random(weights, 1.0, torch.Generator().manual_seed(1)) / step
    assert set(steps.tolist()) == {7.0, 8.0}
    assert abs(float(steps.mean()) - 7.3) < 5 * (0.3 * 0.7 / 10000) ** 0.5


@needs_torch
@settings(max_examples=25)
@given(density=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_pruning_leaves_the_largest(density: float, seed: int) -> None:
    """As many weights as the density says are left, none smaller than one that is pruned."""
    import torch

    from tlm.workload.training.retention.grid import magnitude_mask

    weights = torch.randn(20, 15, generator=torch.Generator().manual_seed(seed))
    mask = magnitude_mask(weights, density).bool()
    assert int(mask.sum()) == round(density * 300)
    if mask.any() and not mask.all():
        assert weights[mask].abs().min() >= weights[~mask].abs().max()


@needs_torch
def test_the_schedule_of_pruning_by_hand() -> None:
    """All weights until the start, 7/8 of what goes is gone halfway, the rest at the end."""
    from tlm.workload.training.retention.grid import scheduled_density

    densities = [scheduled_density(0.2, at, 0.1, 0.6) for at in (0.0, 0.1, 0.35, 0.6, 1.0)]
    assert densities == pytest.approx([1, 1, 0.2 + 0.8 / 8, 0.2, 0.2])


@needs_torch
def test_distance_of_one_spike_to_silence_in_closed_form() -> None:
    """sqrt(1/tau sum exp(-2 t / tau)) from the spike on; nothing between equal trains."""
    import torch

    from tlm.workload.training.retention.loop import Distance

    target = torch.zeros(40, 1, 3)
    target[10, 0, 1] = 1
    expected = ((1 - np.exp(-2 * 30 / 5)) / (1 - np.exp(-2 / 5)) / 5) ** 0.5
    distance = Distance(target, 5.0)
    assert float(distance(torch.zeros_like(target))) == pytest.approx(expected, rel=1e-5)
    assert float(distance(target)) == 0


@needs_torch
def test_neurons_of_training_are_those_of_the_golden_model() -> None:
    """Spikes and dI of the torch module against the golden model, in 64 bits."""
    import torch

    from tlm.workload.training.retention.neuron import CurrentLIF

    neuron = bundled().neuron
    draw = np.random.default_rng(1)
    current, dS = draw.normal(0.1, 0.3, (2, 60, 1, 7))
    leaf = torch.from_numpy(current).requires_grad_()
    spikes = CurrentLIF(neuron)(leaf)
    spikes.backward(torch.from_numpy(dS))
    rebuilt = replay(neuron, current, dS)
    assert 0.02 < rebuilt.spikes.mean() < 0.9
    assert np.array_equal(spikes.detach().numpy(), rebuilt.spikes)
    assert np.allclose(leaf.grad.numpy(), rebuilt.dI, rtol=1e-12, atol=1e-12)


@needs_torch
def test_a_small_pattern_is_learnt_recorded_and_simulated(tmp_path: Path) -> None:
    """A tenth nearer to the pattern than silence; rebuilt to rounding; pruned weights are zero."""
    small = replace(
        bundled(), name="small", neurons=(200, 100, 30), steps=60, input_rate_hz=50, epochs=200,
        density=0.5,
    )  # fmt: skip
    job = open_workload(str(record_recipe(small, None, tmp_path / "small.h5")))
    assert job.accuracy > 0.1
    assert all(agreement.holds() for agreement in check_recording(job, 2))
    for parameters in job.load_values(2).parameters:
        assert 2 <= len(np.unique(np.abs(parameters.weights))) <= 8  # 0 to 7 steps at 4 bits
        assert (parameters.weights != 0).mean() <= 0.5
    assert run_job(str(job.path), out=tmp_path / "run", trace="off").ok
