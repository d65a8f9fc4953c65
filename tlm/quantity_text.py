"""Times, energies and amounts of data as text for people: three digits and a unit that fits.

The screen, the notebook and the reports all say a quantity in the words of this module.
"""

from __future__ import annotations

Scales = tuple[tuple[float, str], ...]  # (size in the unit that the model counts in, its name)

_TIME: Scales = ((1e12, "s"), (1e9, "ms"), (1e6, "us"), (1e3, "ns"), (1.0, "ps"))
_ENERGY: Scales = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))
_DATA: Scales = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def time_unit(span_ps: float) -> tuple[float, str]:
    """(ps per unit, unit) in which a time reads well: 1 <= time < 1000, where there is one."""
    return _fitting(span_ps, _TIME)


def energy_unit(energy_pj: float) -> tuple[float, str]:
    """(pJ per unit, unit) in which an energy reads well: 1 <= energy < 1000, where possible."""
    return _fitting(energy_pj, _ENERGY)


def time_text(span_ps: float) -> str:
    """A time in ps as text, such as ``1.25 us``."""
    return _text(span_ps, _TIME)


def energy_text(energy_pj: float) -> str:
    """An energy in pJ as text, such as ``31.6 mJ``."""
    return _text(energy_pj, _ENERGY)


def nbytes_text(nbytes: float) -> str:
    """A number of bytes as text in decimal units, such as ``4.2 MB``."""
    return _text(nbytes, _DATA)


def _text(value: float, scales: Scales) -> str:
    size, unit = _fitting(value, scales)
    number = value / size
    return f"{number:.3g} {unit}" if abs(number) < 999.5 else f"{number:,.0f} {unit}"


def _fitting(value: float, scales: Scales) -> tuple[float, str]:
    """The largest unit that ``value`` reaches, or the smallest unit."""
    return next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
