"""Tests on both kernels: SimPy's, and the compiled one where it has been built."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pytest

from tlm.compiled.sources import why_missing
from tlm.hardware.chip import Chip, Site
from tlm.hardware.model import SIMPY, ChipModel
from tlm.trace.rows import RowList
from tlm.trace.schema import TABLES

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


class ChipKernel(NamedTuple):
    """What a chip is built of, and what takes the rows that it leaves."""

    model: ChipModel
    rows: Callable[..., Any]

    def chip(self, config, timing, program, site=None):
        """A chip, alone if there is no site, and its rows: of transactions, of activity."""
        tables = [self.rows(name, TABLES[name]) for name in ("transactions", "activity")]
        return Chip(config, timing, program, *tables, site or Site.of(self.model)), *tables


def _compiled():
    from tlm.compiled.rows import RowBuffer

    from tlm.compiled.model import COMPILED

    return ChipKernel(COMPILED, RowBuffer)


REFERENCE = ChipKernel(SIMPY, RowList)
CHIP_KERNELS = both(REFERENCE, if_built(_compiled))


def tuples(rows):
    """What a chip has left in ``rows``, which lose it: a tuple for each."""
    return rows.take(len(rows)).tolist()
