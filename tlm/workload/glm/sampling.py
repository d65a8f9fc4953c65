"""Output spikes of membrane potentials: ideal Bernoulli, or what hardware samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.glm.arrays import Array, Flags
from tlm.workload.glm.lfsr import LFSR, States
from tlm.workload.glm.rules import sigmoid

RANGE = 8.0
"""Potentials that a table tells apart: -RANGE .. RANGE (assumed)."""


@dataclass(frozen=True)
class SigmoidTable:
    """A table of 2^``address_bits`` probabilities of ``output_bits`` each."""

    address_bits: int
    output_bits: int

    def thresholds(self, U: Array) -> NDArray[np.uint64]:
        """Probability of each potential, as a share of 2^output_bits, rounded to nearest.

        An entry holds the sigmoid at the middle of its interval of potentials, at most
        2^output_bits - 1. The first is 0: it stands for all potentials below too, and what should
        never spike would otherwise do so once in 3,000 steps.
        """
        size, full = 1 << self.address_bits, (1 << self.output_bits) - 1
        middles = np.asarray((np.arange(size) + 0.5) * (2 * RANGE / size) - RANGE)
        entries = np.minimum(np.rint(sigmoid(middles) * (full + 1)), full).astype(np.uint64)
        entries[0] = 0
        address = np.clip(np.floor((U + RANGE) * (size / (2 * RANGE))), 0, size - 1)
        return np.asarray(entries[address.astype(np.int64)])


@dataclass(frozen=True)
class HardwareSampler:
    """A shift register for each neuron, which draws once a step, and one table for all.

    A neuron spikes if the low ``output_bits`` of its register are less than the table's entry.
    Registers run on from sample to sample.
    """

    lfsr: LFSR
    table: SigmoidTable

    def __post_init__(self) -> None:
        if not 1 <= self.table.output_bits <= self.lfsr.width or self.table.address_bits < 1:
            raise WorkloadError(
                f"sigmoid table of {self.table.output_bits} bits beside an LFSR of "
                f"{self.lfsr.width}: expected 1 to {self.lfsr.width} bits, and an address"
            )

    def spikes(self, U: Array, seed: int) -> Flags:
        """Output spikes [T, B, M] of potentials U [T, B, M], sample after sample."""
        return self.spikes_from(self.lfsr.seeded(seed, U.shape[2]), U)

    def spikes_from(self, starts: States, U: Array) -> Flags:
        """The same from the registers' ``starts`` [M]."""
        steps, samples, outputs = U.shape
        states = self.lfsr.draws(starts, samples * steps)
        low = states & np.uint64((1 << self.table.output_bits) - 1)
        draws = low.reshape(samples, steps, outputs).swapaxes(0, 1)
        return np.asarray(draws < self.table.thresholds(U))


def bernoulli_spikes(U: Array, seed: int) -> Flags:
    """Output spikes [T, B, M] of ideal independent draws."""
    return np.asarray(np.random.default_rng(seed).random(U.shape) < sigmoid(U))
