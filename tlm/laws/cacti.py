"""SRAM priced a second time: straight lines in logarithms through CACTI's figures.

The figures are the table's; how they are read, between its rows and beyond its ends, is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlm.config.tables.sram import CAPACITY_KIB, LEAKAGE_MW, READ_PJ

BITS = 8 * 1024  # of a KiB
NARROW, MIDDLE, WIDE = READ_PJ


def leakage_w(bits: float) -> float:
    """Leakage of a memory in W; the table says it in mW."""
    return _by_capacity(bits, LEAKAGE_MW) / 1e3


def access_pj(bits: float, port: int) -> float:
    """Energy of an access; ports wider than the widest are several memories side by side."""
    narrow, middle, wide = (_by_capacity(bits, column) for column in READ_PJ.values())
    if port >= WIDE:
        return wide * port / WIDE
    if port >= MIDDLE:
        return _between(port / MIDDLE, WIDE / MIDDLE, middle, wide)
    return _between(max(port, NARROW) / NARROW, MIDDLE / NARROW, narrow, middle)


def _by_capacity(bits: float, column: Sequence[float]) -> float:
    row = int(np.searchsorted(CAPACITY_KIB, bits / BITS)) - 1
    low = min(max(row, 0), len(CAPACITY_KIB) - 2)
    small, large = CAPACITY_KIB[low : low + 2]
    return _between(bits / BITS / small, large / small, *column[low : low + 2])


def _between(times: float, whole: float, low: float, high: float) -> float:
    """A figure ``times`` as far as that of ``low``, where ``high`` lies ``whole`` times as far."""
    return float(low * (high / low) ** (np.log(times) / np.log(whole)))
