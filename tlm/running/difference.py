"""The first difference between two files of two runs, in words."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import numpy as np

import tlm.trace
from tlm.trace.schema import TABLES

_SHOWN = 60


def first_text_difference(before: Path, now: Path) -> str | None:
    """Line number and both lines where two text files part; None if they are equal bytes."""
    left, right = before.read_bytes(), now.read_bytes()
    if left == right:
        return None
    lines = zip_longest(left.split(b"\n"), right.split(b"\n"))
    for number, (old, new) in enumerate(lines, start=1):
        if old != new:
            return f"{before.name} line {number}: was {_shown(old)}, is {_shown(new)}"
    return f"{before.name}: differs"


def first_trace_difference(before: Path, now: Path) -> str | None:
    """Table, row and column where two traces part; None if all that both hold is equal.

    A trace that ends early, for want of disk or budget, is compared as far as it goes.

    Raises:
        TraceError: one of them cannot be read.
    """
    with tlm.trace.open(before) as old, tlm.trace.open(now) as new:
        if old.units != new.units or old.config_text != new.config_text:
            return f"{before.name}: another configuration or other units"
        whole = old.complete and new.complete
        for table in TABLES:
            left, right = getattr(old, table), getattr(new, table)
            shared = min(len(left), len(right))
            for name in left.dtype.names:
                wrong = np.flatnonzero(left[name][:shared] != right[name][:shared])
                if len(wrong):
                    row = int(wrong[0])
                    values = f"was {left[name][row]}, is {right[name][row]}"
                    return f"{before.name} {table} row {row} {name}: {values}"
            if whole and len(left) != len(right):
                return f"{before.name} {table}: {len(left)} rows before, {len(right)} now"
    return None


def _shown(line: bytes | None) -> str:
    if line is None:
        return "nothing"
    text = ascii(line.decode(errors="replace"))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
