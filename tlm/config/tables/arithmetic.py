"""Arithmetic by number format: what an addition and a multiplication take, relative to each other.

Energies and areas at 45 nm and 0.9 V: M. Horowitz, "Computing's energy problem (and what we can do
about it)", ISSCC 2014. Only ratios of them are used: a table's own price, at the format it is
stated for, changes with the format in proportion. Between and beyond the published widths figures
follow a power law (a straight line in logarithms): of the width for additions and for integer
multiplications, of the significand for floating-point multiplications.

bfloat16 stands to FP16 as in N. Jouppi et al., "Ten lessons from three generations shaped Google's
TPUv4i", ISCA 2021, table 2 (7 nm: add 0.11 and 0.16, multiply 0.21 and 0.34 pJ). The power law of
the significand alone would give a multiplication 0.61 of FP16's, the table says 0.62.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from typing import Literal

from tlm.config.number_format import BitLayout, NumberFormat

Operation = Literal["add", "multiply", "root", "compare", "mux"]
Points = tuple[tuple[int, float], tuple[int, float]]  # (bits, pJ) twice

SOURCE = "formats by Horowitz, ISSCC 2014"
_ADD: dict[str, Points] = {"integer": ((8, 0.03), (32, 0.1)), "float": ((16, 0.4), (32, 0.9))}
_MULTIPLY: dict[str, Points] = {
    "integer": ((8, 0.2), (32, 3.1)),
    "float": ((11, 1.1), (24, 3.7)),  # significands of FP16 and FP32
}
_BF16 = {"add": 0.11 / 0.16, "multiply": 0.21 / 0.34}  # of FP16's
_MUX_SHARE = 1 / 16  # of an addition, as in the NeuroMC authors' model


def operation_pj(operation: Operation, number: NumberFormat) -> float:
    """Energy in pJ at 45 nm of one operation on numbers of a format.

    A root is taken as a multiplication, a comparison as an integer addition of the same width.
    """
    encoding = number.encoding
    if operation == "add":
        return _add(encoding) * (_BF16["add"] if number.name == "bf16" else 1.0)
    if operation == "compare":
        return _law(_ADD["integer"], encoding.bits)
    if operation == "mux":
        return _MUX_SHARE * _law(_ADD["float"], encoding.bits)
    if number.name == "bf16":
        return _law(_MULTIPLY["float"], 11) * _BF16["multiply"]
    return _law(_MULTIPLY[encoding.kind], encoding.significand)


def operations_pj(operations: Mapping[Operation, int], number: NumberFormat) -> float:
    """Energy in pJ at 45 nm of several operations on numbers of a format."""
    return sum(count * operation_pj(name, number) for name, count in operations.items())


def _add(encoding: BitLayout) -> float:
    return _law(_ADD[encoding.kind], encoding.bits)


def _law(points: Points, x: int) -> float:
    """y at ``x`` on the straight line in logarithms through two points."""
    (x0, y0), (x1, y1) = points
    return y0 * exp(log(y1 / y0) * log(x / x0) / log(x1 / x0))
