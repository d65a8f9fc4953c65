"""Weights of binary devices: their values, and the step between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.workload.glm.devices import best_step, codes, quantised

WEIGHTS = np.random.default_rng(1).normal(0, 0.3, (20, 4, 3))
EQUAL = np.ones((20, 1, 1))


@given(devices=st.integers(1, 8), step=st.floats(0.01, 2))
def test_a_weight_is_the_sum_of_its_devices_less_the_offset(devices: int, step: float) -> None:
    """Bits of the code, 1, 2, 4, .., and half of the largest code taken off; never zero."""
    code = codes(WEIGHTS, devices, step)
    bits = [(code >> bit & 1) * 2.0**bit for bit in range(devices)]
    values = step * (sum(bits) - (2**devices - 1) / 2)
    assert np.allclose(quantised(WEIGHTS, devices, step), values, rtol=0, atol=1e-12)
    assert np.abs(values).min() >= step / 2 - 1e-12


@given(devices=st.integers(1, 8))
def test_no_other_value_is_nearer(devices: int) -> None:
    """Against a search of all values."""
    step = best_step(WEIGHTS, devices, EQUAL)
    values = step * (np.arange(2**devices) - (2**devices - 1) / 2)
    nearest = np.abs(WEIGHTS[..., None] - values).min(-1)
    assert np.abs(WEIGHTS - quantised(WEIGHTS, devices, step)) == pytest.approx(nearest)


def test_a_sign_is_as_large_as_the_mean_magnitude() -> None:
    """One device: the least squared error is at step / 2 = mean |w| (Rastegari, XNOR-Net)."""
    step = best_step(WEIGHTS, 1, EQUAL)
    assert step / 2 == pytest.approx(np.abs(WEIGHTS).mean(), rel=0.03)


def test_more_devices_are_nearer() -> None:
    """Each device more at least halves the squared error."""
    errors = [
        ((WEIGHTS - quantised(WEIGHTS, n, best_step(WEIGHTS, n, EQUAL))) ** 2).sum()
        for n in range(1, 9)
    ]
    assert all(after < before / 2 for before, after in pairwise(errors))


def test_weights_that_are_never_read_have_no_say() -> None:
    """A large weight of an input that never spikes leaves the step where it is."""
    silent, use = WEIGHTS.copy(), EQUAL.copy()
    silent[0], use[0] = 100, 0
    assert best_step(silent, 4, use) == best_step(WEIGHTS[1:], 4, EQUAL[1:])
