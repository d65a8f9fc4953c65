"""Formats priced a second time: what other widths and formats than a table's make of its prices.

Horowitz (ISSCC 2014), 45 nm: integer addition 0.03 pJ at 8 bit and 0.1 at 32, multiplication 0.2
and 3.1; floating-point addition 0.4 at 16 bit and 0.9 at 32, multiplication 1.1 and 3.7 with 11 and
24 bits of significand; bfloat16 by Jouppi et al. (ISCA 2021): 11/16 and 21/34 of FP16.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from tlm.config.core import Precision
from tlm.config.number_format import NumberFormat

# What an operation is made of, by key of the precision: additions, multiplications (roots too),
# comparisons, multiplexers. Of several keys in one name the dearest counts.
_PARTS: dict[str, dict[str, tuple[int, int, int, int]]] = {
    "fp.mac_add": {"partial_sum": (1, 0, 0, 0), "weight": (0, 0, 0, 1)},
    "fp.mac_mul": {"partial_sum": (1, 0, 0, 0), "weight input": (0, 1, 0, 0)},
    "bp.mac": {"partial_sum": (1, 0, 0, 0), "weight gradient": (0, 1, 0, 0)},
    "wg.mac_add": {"partial_sum": (1, 0, 0, 0), "gradient": (0, 0, 0, 1)},
    "wg.mac_mul": {"partial_sum": (1, 0, 0, 0), "gradient input": (0, 1, 0, 0)},
    "fp.soma_op": {"membrane": (1, 1, 3, 1)},
    "fp.current_op": {"membrane": (1, 1, 0, 0)},
    "fp.current_pool": {"membrane": (1, 0, 0, 0)},
    "fp.shortcut_add": {"membrane": (1, 0, 0, 0)},
    "fp.norm_stat": {"membrane": (2, 1, 0, 0)},
    "fp.norm_op": {"membrane": (1, 2, 0, 0)},
    "fp.norm_channel": {"membrane": (2, 5, 0, 0)},
    "fp.norm_scale": {"membrane": (1, 1, 0, 0)},
    "bp.grad_op": {"gradient": (2, 4, 0, 1)},
    "bp.current_op": {"gradient": (1, 1, 0, 0)},
    "bp.learnt_op": {"gradient": (2, 1, 0, 0)},
    "bp.norm_stat": {"gradient": (4, 1, 0, 0)},
    "bp.norm_op": {"gradient": (3, 2, 0, 0)},
    "bp.norm_channel": {"gradient": (0, 22, 0, 0)},
    "bp.norm_scale": {"gradient": (0, 1, 0, 0)},
    "wg.update_op_sgd": {"weight": (1, 1, 0, 0)},
    "wg.update_op_adam": {"optimizer": (4, 12, 0, 0)},
    "engine.mac_idle": {"weight": (0, 0, 0, 1)},
} | {
    name: {"partial_sum": (1, 0, 0, 0)}
    for name in ("fp.norm_add", "bp.norm_add", "bp.reduce_add", "wg.reduce_add",
                 "engine.merge_add", "fp.bias_add", "bp.bias_add")
}  # fmt: skip
_WORDS = {"weight": "weight", "partial": "partial_sum", "accumulator": "partial_sum"}


def word_share(action: str, chip: Precision, table: Precision) -> float:
    """Bits of the word that an action moves, as a share of those of the table's."""
    name = action.partition(".")[2]
    key = "gradient" if name == "gradient_read" else _WORDS.get(name.rpartition("_")[0], "")
    return float(getattr(chip, key) / getattr(table, key)) if key else 1.0


def arithmetic_share(action: str, chip: Precision, table: Precision) -> float:
    """Energy of an action's operations, as a share of that in the table's formats."""
    parts = _PARTS.get(action)
    return _energy_pj(parts, chip) / _energy_pj(parts, table) if parts else 1.0


def _energy_pj(parts: Mapping[str, tuple[int, int, int, int]], precision: Precision) -> float:
    total = 0.0
    for keys, counts in parts.items():
        formats: list[NumberFormat] = [getattr(precision, key) for key in keys.split()]
        total += max(
            sum(n * pj for n, pj in zip(counts, _each_pj(number), strict=True))
            for number in formats
        )
    return total


def _each_pj(number: NumberFormat) -> tuple[float, float, float, float]:
    """Addition, multiplication, comparison and multiplexer of a format."""
    kind, bits, significand = number.encoding
    halving = log(bits / 16, 2)
    float_add = 0.4 * 2.25**halving
    integer_add = 0.03 * (0.1 / 0.03) ** (log(bits / 8, 2) / 2)
    float_product = 1.1 * (significand / 11) ** (log(3.7 / 1.1) / log(24 / 11))
    integer_product = 0.2 * 15.5 ** (log(bits / 8, 2) / 2)
    if number.name == "bf16":
        return 0.4 * 11 / 16, 1.1 * 21 / 34, integer_add, float_add / 16
    if kind == "float":
        return float_add, float_product, integer_add, float_add / 16
    return integer_add, integer_product, integer_add, float_add / 16
