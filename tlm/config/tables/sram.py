"""SRAM at 28 nm: energy, leakage and area of a memory, by capacity and port, from CACTI 7.

Table: CACTI 7, 28 nm, itrs-lop, 330 K, one read-write port, one bank. Rule: between two rows, and
between two port widths, figures follow a power law (a straight line in logarithms); beyond the
first and last capacity they go on with the slope of the nearest two rows. A port wider than the
last column is several memories side by side. Writes are charged as reads (CACTI: 0.6 to 1.6 times
a read, up to 2 at the smallest capacities).
"""

from __future__ import annotations

from collections.abc import Sequence

from tlm.config.tables.power_law import power_law

SOURCE = "CACTI 7, 28 nm itrs-lop 330 K"
_KIB_BITS = 8 * 1024
CAPACITY_KIB = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
READ_PJ = {
    16: (0.29, 0.41, 0.75, 0.91, 1.18, 1.95, 2.52, 4.02, 5.17, 6.03, 8.66, 11.9),
    64: (0.31, 0.54, 0.97, 1.84, 2.33, 3.04, 4.93, 6.31, 9.65, 13.6, 18.7, 25.7),
    256: (1.52, 1.63, 1.85, 2.26, 4.27, 5.96, 10.4, 16.4, 24.6, 33.4, 52.7, 75.6),
}
LEAKAGE_MW = (0.07, 0.17, 0.30, 0.56, 1.13, 2.26, 4.11, 8.2, 16, 32, 65, 130)
_AREA_MM2 = (0.0014, 0.0029, 0.0057, 0.011, 0.0245, 0.051, 0.095, 0.193, 0.337, 0.67, 1.32, 2.60)


def access_pj(capacity_bits: int, port_bits: int) -> float:
    """Energy in pJ of one access of ``port_bits`` to a memory of ``capacity_bits``."""
    widths = tuple(READ_PJ)
    fitting = min(max(port_bits, widths[0]), widths[-1])
    energies = [_by_capacity(capacity_bits, READ_PJ[width]) for width in widths]
    return power_law(fitting, widths, energies) * max(1.0, port_bits / widths[-1])


def leakage_w(capacity_bits: int) -> float:
    """Leakage in W of a memory of ``capacity_bits``."""
    return _by_capacity(capacity_bits, LEAKAGE_MW) / 1000


def area_mm2(capacity_bits: int) -> float:
    """Area in mm2 of a memory of ``capacity_bits``."""
    return _by_capacity(capacity_bits, _AREA_MM2)


def _by_capacity(capacity_bits: int, column: Sequence[float]) -> float:
    return power_law(capacity_bits / _KIB_BITS, CAPACITY_KIB, column)
