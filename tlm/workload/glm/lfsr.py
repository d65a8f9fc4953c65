"""Maximal-length Galois shift registers: the random numbers that hardware compares with.

One shift is linear over bits, so any number of shifts is a matrix, and a whole train of draws is
made by doubling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError

States = NDArray[np.uint64]

TAPS: dict[int, tuple[int, ...]] = {
    8: (8, 6, 5, 4),
    9: (9, 5),
    10: (10, 7),
    11: (11, 9),
    12: (12, 6, 4, 1),
    13: (13, 4, 3, 1),
    14: (14, 5, 3, 1),
    15: (15, 14),
    16: (16, 15, 13, 4),
    17: (17, 14),
    18: (18, 11),
    19: (19, 6, 2, 1),
    20: (20, 17),
    21: (21, 19),
    22: (22, 21),
    23: (23, 18),
    24: (24, 23, 22, 17),
    25: (25, 22),
    26: (26, 6, 2, 1),
    27: (27, 5, 2, 1),
    28: (28, 25),
    29: (29, 27),
    30: (30, 6, 4, 1),
    31: (31, 28),
    32: (32, 22, 2, 1),
}
"""Exponents of a primitive polynomial for each width. Source: Xilinx XAPP052, table 3; tests hold
that each is primitive."""

_ONE = np.uint64(1)


@dataclass(frozen=True)
class LFSR:
    """A register of ``width`` bits that is shifted ``shifts`` times for a draw.

    A shift moves the state right; if a 1 leaves, the tapped bits are inverted. The state passes
    through all 2^width - 1 values but zero. With one shift most bits of a draw are those of the one
    before, moved by a place; with ``shifts`` = width (in hardware a fixed matrix of XOR gates)
    none is. The draws repeat after (2^width - 1) / gcd(2^width - 1, shifts) of them.
    """

    width: int
    shifts: int

    def __post_init__(self) -> None:
        if self.width not in TAPS or self.shifts < 1:
            raise WorkloadError(
                f"LFSR of {self.width} bits, {self.shifts} shifts a draw: expected a width of "
                f"{min(TAPS)}..{max(TAPS)} and at least one shift"
            )

    def seeded(self, seed: int, registers: int) -> States:
        """A start state, not zero, for each of several registers."""
        rng = np.random.default_rng(seed)
        return rng.integers(1, 1 << self.width, registers, dtype=np.uint64)

    def draws(self, starts: States, count: int) -> States:
        """States [count, registers] after 1, 2, .. count draws from ``starts`` [registers]."""
        one_draw = self._after(self.shifts)
        states = _applied(one_draw, starts)[None]
        matrix = one_draw
        while len(states) < count:
            states = np.concatenate([states, _applied(matrix, states)])
            matrix = _applied(matrix, matrix)
        return states[:count]

    def _after(self, shifts: int) -> States:
        """Matrix of a number of shifts, by repeated squaring: what each bit of a state becomes."""
        power, result = self._shift(), self._bits()
        while shifts:
            if shifts & 1:
                result = _applied(power, result)
            power = _applied(power, power)
            shifts >>= 1
        return result

    def _shift(self) -> States:
        toggled = sum(1 << tap - 1 for tap in TAPS[self.width])
        return np.concatenate([np.array([toggled], np.uint64), self._bits()[:-1]])

    def _bits(self) -> States:
        return _ONE << np.arange(self.width, dtype=np.uint64)


def _applied(matrix: States, states: States) -> States:
    """Sum modulo 2 of the rows of ``matrix`` whose bit is set, for each state."""
    after = np.zeros_like(states)
    for bit, row in enumerate(matrix):
        after ^= (states >> np.uint64(bit) & _ONE) * row
    return after
