"""Whole numbers of units: how many it takes to hold an amount."""

from __future__ import annotations


def ceil_div(amount: int, unit: int) -> int:
    """``amount / unit``, rounded up."""
    return -(-amount // unit)
