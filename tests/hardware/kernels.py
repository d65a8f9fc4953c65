"""Tests on both kernels: SimPy's, and the compiled one where it has been built."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from tlm.compiled.sources import why_missing

Bench = TypeVar("Bench")

needs_compiled = pytest.mark.skipif(why_missing() is not None, reason="no compiled kernel here")


def if_built(compiled: Callable[[], Bench]) -> Bench | None:
    """What a compiled thing is tried with; None where there is none."""
    return compiled() if why_missing() is None else None


def both(simpy, compiled):
    """Parameters of a test: what it uses on each kernel."""
    return [
        pytest.param(simpy, id="simpy"),
        pytest.param(compiled, id="compiled", marks=needs_compiled),
    ]
