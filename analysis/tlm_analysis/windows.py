"""Windows of time and their units for people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_TIME_UNITS = ((1e12, "s"), (1e9, "ms"), (1e6, "us"), (1e3, "ns"), (1.0, "ps"))
_ENERGY_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))

_BYTE_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def window_edges(end_ps: int, windows: int, begin_ps: int = 0) -> Ints:
    """Edges in ps, shape [W+1], of at most ``windows`` equal windows that end at ``end_ps``."""
    span_ps = end_ps - begin_ps
    count = max(1, min(windows, span_ps))
    return np.array([begin_ps + i * span_ps // count for i in range(count + 1)], dtype=np.int64)


def time_unit(span_ps: float) -> tuple[float, str]:
    """(ps per unit, unit) in which a span reads well: 1 <= span < 1000, where there is one."""
    return _unit(span_ps, _TIME_UNITS)


def energy_unit(energy_pj: float) -> tuple[float, str]:
    """(pJ per unit, unit) in which an energy reads well."""
    return _unit(energy_pj, _ENERGY_UNITS)


def time_text(span_ps: float) -> str:
    """A time with a fitting unit, three digits."""
    scale, unit = time_unit(abs(span_ps))
    return f"{span_ps / scale:.3g} {unit}"


def energy_text(energy_pj: float) -> str:
    """An energy with a fitting unit, three digits."""
    scale, unit = energy_unit(abs(energy_pj))
    return f"{energy_pj / scale:.3g} {unit}"


def nbytes_text(nbytes: float) -> str:
    """An amount of data with a fitting decimal unit, three digits."""
    scale, unit = _unit(abs(nbytes), _BYTE_UNITS)
    return f"{nbytes / scale:.3g} {unit}"


def _unit(value: float, units: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    return next((unit for unit in units if value >= unit[0]), units[-1])
