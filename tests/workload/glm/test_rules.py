"""GLM networks: the basis, potentials, and both rules against independent oracles."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.glm.basis import raised_cosines
from tlm.workload.glm.network import GLMNetwork
from tlm.workload.glm.rules import Rule, first_to_spike, loss_and_gradient, rate, sigmoid

RULES: tuple[Rule, ...] = ("first-to-spike", "rate")


def drawn(seed: int) -> tuple[GLMNetwork, np.ndarray, np.ndarray]:
    """A random network of 12 inputs and 4 outputs, spikes of 8 steps and 3 samples, and classes."""
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(0, 0.5, (12, 4, 3)), rng.normal(-1, 0.5, 4)
    S = (rng.random((8, 3, 12)) < 0.3).astype(float)
    return GLMNetwork(raised_cosines(5, 3), weights, bias), S, rng.integers(0, 4, 3)


def difference(loss, array: np.ndarray, place: tuple[int, ...], step: float = 1e-5) -> float:
    """Central finite difference of ``loss()`` at one element of ``array``."""
    value = array[place]
    array[place] = value + step
    above = loss()
    array[place] = value - step
    below = loss()
    array[place] = value
    return (above - below) / (2 * step)


@pytest.mark.parametrize("rule", RULES)
def test_gradient_agrees_with_finite_differences(rule: Rule) -> None:
    """Every weight and bias of a random network, below 1e-6."""
    network, S, labels = drawn(1)

    def loss() -> float:
        return float(loss_and_gradient(rule, network.potentials(S), labels)[0].sum())

    _, dU = loss_and_gradient(rule, network.potentials(S), labels)
    gradients = network.gradient(S, dU)
    for array, gradient in zip((network.weights, network.bias), gradients, strict=True):
        numeric = [difference(loss, array, place) for place in np.ndindex(array.shape)]
        assert np.abs(gradient.reshape(-1) - numeric).max() < 1e-6
        assert np.abs(gradient).max() > 0.1


def test_first_to_spike_agrees_with_all_outcomes() -> None:
    """Two outputs, three steps: the 64 trains, each with its probability, and what they mean."""
    U = np.random.default_rng(2).normal(0, 1, (3, 1, 2))
    g = sigmoid(U[:, 0])
    right = 0.0
    for bits in product((0, 1), repeat=6):
        spikes = np.reshape(bits, (3, 2))
        spiking = spikes[spikes.any(1)]
        if len(spiking) and spiking[0].tolist() == [0, 1]:
            right += np.where(spikes, g, 1 - g).prod()
    loss, _ = first_to_spike(U, np.array([1]))
    assert np.exp(-loss[0]) == pytest.approx(right, rel=1e-12)


def test_rate_rule_is_cross_entropy_at_every_step() -> None:
    """Against the product of the probabilities of the target train."""
    U = np.random.default_rng(3).normal(0, 1, (4, 1, 3))
    g = sigmoid(U[:, 0])
    loss, dU = rate(U, np.array([2]))
    assert np.exp(-loss[0]) == pytest.approx((g[:, 2] * (1 - g[:, 0]) * (1 - g[:, 1])).prod())
    assert np.allclose(dU[:, 0, 2], g[:, 2] - 1)


def test_potentials_agree_with_the_sum_as_it_is_written() -> None:
    """The filter behind the product gives what the filter before it gives."""
    network, S, _ = drawn(4)
    U = np.tile(network.bias, (8, 3, 1))
    for t, b, i, d in product(range(8), range(3), range(4), range(5)):
        if d <= t:
            U[t, b, i] += network.basis[d] @ (S[t - d, b] @ network.weights[:, i])
    assert np.allclose(network.potentials(S), U, rtol=0, atol=1e-12)


def test_potentials_know_no_later_input() -> None:
    """A change of the input at step 5 changes U from step 5 on, and not before."""
    network, S, _ = drawn(5)
    changed = S.copy()
    changed[5] = 1 - changed[5]
    before, after = network.potentials(S), network.potentials(changed)
    assert np.array_equal(before[:5], after[:5])
    assert not np.isclose(before[5], after[5]).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [1e3, -1e3])
def test_far_potentials_do_not_overflow(rule: Rule, size: float) -> None:
    """Loss and dU are finite where a sigmoid is 0 or 1 to the last bit."""
    loss, dU = loss_and_gradient(rule, np.full((4, 2, 3), size), np.array([0, 2]))
    assert np.isfinite(loss).all() and np.isfinite(dU).all()
    assert np.abs(dU).max() <= 1


@given(taps=st.integers(2, 40), share=st.floats(0, 1))
def test_basis_covers_its_memory(taps: int, share: float) -> None:
    """Within 0..1, each function 1 at its centre's nearest end, no tap that nothing sees."""
    functions = 2 + round(share * (taps - 2))
    basis = raised_cosines(taps, functions)
    assert basis.shape == (taps, functions)
    assert basis.min() >= 0 and basis.max() <= 1
    assert basis[0, 0] == basis[-1, -1] == 1
    assert (basis.sum(1) > 0.5).all()


def test_inner_functions_of_a_basis_add_up() -> None:
    """Raised cosines of half overlap, four at a point, sum to 2 between the outer centres."""
    basis = raised_cosines(64, 12)
    inner = slice(12, 30)
    assert basis[inner].sum(1) == pytest.approx(2, abs=1e-9)


def test_a_basis_that_cannot_be() -> None:
    """More functions than taps is refused."""
    with pytest.raises(WorkloadError, match="9 functions over 8 taps"):
        raised_cosines(8, 9)
