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
from typing import Literal

from tlm.config.number_format import NumberFormat
from tlm.config.tables.power_law import power_law

Operation = Literal["add", "multiply", "root", "compare", "mux"]
Points = tuple[tuple[int, int], tuple[float, float]]  # widths in bits, pJ at each

_ADD: dict[str, Points] = {"integer": ((8, 32), (0.03, 0.1)), "float": ((16, 32), (0.4, 0.9))}
_MULTIPLY: dict[str, Points] = {
    "integer": ((8, 32), (0.2, 3.1)),
    "float": ((11, 24), (1.1, 3.7)),  # significands of FP16 and FP32
}
_BF16 = {"add": 0.11 / 0.16, "multiply": 0.21 / 0.34}  # of FP16's
_MUX_SHARE = 1 / 16  # of an addition, as in the NeuroMC authors' model


def operation_pj(operation: Operation, number: NumberFormat) -> float:
    """Energy in pJ at 45 nm of one operation on numbers of a format.

    A root is taken as a multiplication, a comparison as an integer addition of the same width.
    """
    encoding = number.encoding
    if operation == "add":
        return power_law(encoding.bits, *_ADD[encoding.kind]) * (
            _BF16["add"] if number.name == "bf16" else 1.0
        )
    if operation == "compare":
        return power_law(encoding.bits, *_ADD["integer"])
    if operation == "mux":
        return _MUX_SHARE * power_law(encoding.bits, *_ADD["float"])
    if number.name == "bf16":
        return power_law(11, *_MULTIPLY["float"]) * _BF16["multiply"]
    return power_law(encoding.significand, *_MULTIPLY[encoding.kind])


def operations_pj(operations: Mapping[Operation, int], number: NumberFormat) -> float:
    """Energy in pJ at 45 nm of several operations on numbers of a format."""
    return sum(count * operation_pj(name, number) for name, count in operations.items())
