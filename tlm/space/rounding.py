"""Whole numbers of units: how many it takes to hold an amount."""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints


def ceil_div(amount: int, unit: int) -> int:
    """``amount / unit``, rounded up."""
    return -(-amount // unit)


def ceil_each(amounts: Ints, units: Ints | int) -> Ints:
    """The same of arrays, element by element."""
    return np.asarray(-(-amounts // units))
