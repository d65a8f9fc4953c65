"""Sampling in hardware: shift registers, the sigmoid table, and the comparator."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.glm.lfsr import LFSR, TAPS
from tlm.workload.glm.rules import sigmoid
from tlm.workload.glm.sampling import HardwareSampler, SigmoidTable, bernoulli_spikes

WIDTH = 16
PERIOD = 2**WIDTH - 1


def walk(width: int, state: int, shifts: int) -> int:
    """A state after a number of shifts, bit by bit."""
    mask = sum(1 << tap - 1 for tap in TAPS[width])
    for _ in range(shifts):
        state = state >> 1 ^ (mask if state & 1 else 0)
    return state


def orbit(shifts: int) -> np.ndarray:
    """All draws of a 16-bit register until it is where it began."""
    return LFSR(WIDTH, shifts).draws(np.array([1], np.uint64), PERIOD)[:, 0]


@pytest.mark.parametrize("width", range(8, 17))
def test_period_by_walking(width: int) -> None:
    """2^n - 1 draws of one shift pass through every state but zero, and end at the start."""
    states = LFSR(width, 1).draws(np.array([1], np.uint64), 2**width - 1)[:, 0]
    assert np.array_equal(np.sort(states), np.arange(1, 2**width))
    assert states[-1] == 1


@pytest.mark.parametrize(("shifts", "period"), [(2, 1023), (3, 341), (10, 1023), (33, 31)])
def test_shifts_that_divide_the_period_shorten_it(shifts: int, period: int) -> None:
    """A register of 10 bits: 1,023 over the greatest common divisor."""
    draws = LFSR(10, shifts).draws(np.array([5], np.uint64), 1023)[:, 0]
    assert len(np.unique(draws)) == period == 1023 // gcd(1023, shifts)
    assert draws[period - 1] == 5


@pytest.mark.parametrize("width", TAPS)
def test_period_by_factors(width: int) -> None:
    """2^n - 1 shifts come back to the start, (2^n - 1) / p for a prime p do not."""
    period, rest, prime, primes = 2**width - 1, 2**width - 1, 2, set()
    while prime * prime <= rest:
        if rest % prime:
            prime += 1
        else:
            primes.add(prime)
            rest //= prime
    start = np.array([1], np.uint64)
    assert LFSR(width, period).draws(start, 1)[0, 0] == 1
    for factor in primes | ({rest} - {1, period}):
        assert LFSR(width, period // factor).draws(start, 1)[0, 0] != 1


@given(width=st.sampled_from(sorted(TAPS)), shifts=st.integers(1, 40), seed=st.integers(0, 99))
def test_draws_are_those_of_a_walk(width: int, shifts: int, seed: int) -> None:
    """Doubling gives what shifting a register bit by bit gives."""
    lfsr = LFSR(width, shifts)
    starts = lfsr.seeded(seed, 2)
    draws = lfsr.draws(starts, 5)
    assert draws.shape == (5, 2)
    for register, start in enumerate(starts):
        expected = [walk(width, int(start), shifts * (number + 1)) for number in range(5)]
        assert draws[:, register].tolist() == expected


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_low_bits_are_uniform_over_a_period(bits: int) -> None:
    """Every value equally often; zero once less, as the state is never zero."""
    assert gcd(WIDTH, PERIOD) == 1  # so a register of 16 shifts a draw has the whole period
    counts = np.bincount((orbit(WIDTH) & np.uint64(2**bits - 1)).astype(int), minlength=2**bits)
    expected = np.full(2**bits, 2 ** (WIDTH - bits))
    expected[0] -= 1
    assert counts.tolist() == expected.tolist()


def test_serial_correlation() -> None:
    """None over 16 lags with 16 shifts a draw; with one, that of the bits which only move down."""

    def correlation(draws: np.ndarray, lag: int) -> float:
        return float(np.corrcoef(draws, np.roll(draws, -lag))[0, 1])

    whole, single = orbit(WIDTH).astype(float), orbit(1).astype(float)
    assert max(abs(correlation(whole, lag)) for lag in range(1, 17)) < 0.01
    moved = [bit for bit in range(WIDTH) if bit + 1 not in TAPS[WIDTH]]
    # A bit of weight 2^i holds the one of weight 2^(i + 1); the highest holds the one that left.
    common = sum(2 ** (2 * bit + 1) for bit in moved) + 2 ** (WIDTH - 1)
    assert correlation(single, 1) == pytest.approx(3 * common / (4**WIDTH - 1), abs=1e-4)


def test_spikes_come_with_the_probability_of_the_table() -> None:
    """Over a whole period a neuron spikes exactly entry - 1 times of 65,535 (zero is left out)."""
    sampler = HardwareSampler(LFSR(WIDTH, WIDTH), SigmoidTable(8, WIDTH))
    U = np.full((PERIOD, 1, 1), -1.3)
    spikes, entry = sampler.spikes(U, seed=7), sampler.table.thresholds(U)[0, 0, 0]
    assert spikes.sum() == entry - 1
    assert entry / 2**WIDTH == pytest.approx(sigmoid(np.array(-1.3)), abs=0.01)


@given(address=st.integers(1, 12), output=st.integers(1, 20))
def test_a_table_is_as_near_as_its_widths_allow(address: int, output: int) -> None:
    """Half an interval at slope 1/4 and a unit of the output, or all below the first; rising."""
    U = np.linspace(-9, 9, 301)
    entries = SigmoidTable(address, output).thresholds(U).astype(float)
    error = np.abs(entries / 2**output - sigmoid(U))
    below = sigmoid(np.array(-8 + 16 / 2**address))
    assert error.max() <= max(8 / 2**address / 4 + 2.0**-output, below) + sigmoid(np.array(-8.0))
    assert not entries[U < -8].any()
    assert (np.diff(entries) >= 0).all()


def test_registers_run_on_from_sample_to_sample() -> None:
    """Two samples of 3 steps draw what one sample of 6 steps draws."""
    sampler = HardwareSampler(LFSR(12, 5), SigmoidTable(8, 8))
    U = np.random.default_rng(1).normal(0, 1, (6, 1, 4))
    split = U.reshape(2, 3, 4).swapaxes(0, 1)
    together = sampler.spikes(U, 3).reshape(2, 3, 4).swapaxes(0, 1)
    assert np.array_equal(sampler.spikes(split, 3), together)


def test_ideal_draws_follow_the_sigmoid() -> None:
    """The share of spikes within four standard deviations, and the same for the same seed."""
    U = np.full((1000, 10, 1), -0.5)
    spikes = bernoulli_spikes(U, 1)
    g = float(sigmoid(np.array(-0.5)))
    assert spikes.mean() == pytest.approx(g, abs=4 * (g * (1 - g) / U.size) ** 0.5)
    assert np.array_equal(spikes, bernoulli_spikes(U, 1))
    assert not np.array_equal(spikes, bernoulli_spikes(U, 2))


def test_what_cannot_be_sampled() -> None:
    """A width without taps, and a table wider than its register."""
    with pytest.raises(WorkloadError, match="LFSR of 7 bits"):
        LFSR(7, 1)
    with pytest.raises(WorkloadError, match="table of 17 bits beside an LFSR of 16"):
        HardwareSampler(LFSR(16, 16), SigmoidTable(8, 17))
