"""The numbers that an action handles: words that it moves, operations on which of them.

By them a table's price, stated for the formats that the table names, follows those of a chip: words
in proportion to their width, operations as :mod:`tlm.config.tables.arithmetic` prices them. Actions
that stand in neither list are counted by the bit or by the access, or do not depend on a format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from tlm.config.core import Precision
from tlm.config.tables.arithmetic import Operation, operations_pj

Key = Literal["weight", "membrane", "gradient", "input", "partial_sum", "optimizer"]


class Arithmetic(NamedTuple):
    """Operations on numbers of one key of ``precision``; of several, on the dearest of them."""

    keys: tuple[Key, ...]
    operations: Mapping[Operation, int]


# Actions that move one word, and whose.
WORDS: dict[str, Key] = {
    **{f"{engine}.weight_{way}": "weight" for engine in ("fp", "bp") for way in ("read", "write")},
    **{
        f"{engine}.partial_{way}": "partial_sum"
        for engine in ("fp", "bp")
        for way in ("read", "write")
    },
    **{f"wg.accumulator_{way}": "partial_sum" for way in ("read", "write")},
    **{f"{engine}.gradient_read": "gradient" for engine in ("bp", "wg")},
}
_SUM = Arithmetic(("partial_sum",), {"add": 1})
OPERATIONS: dict[str, tuple[Arithmetic, ...]] = {
    "fp.mac_add": (_SUM, Arithmetic(("weight",), {"mux": 1})),
    "fp.mac_mul": (_SUM, Arithmetic(("weight", "input"), {"multiply": 1})),
    "bp.mac": (_SUM, Arithmetic(("weight", "gradient"), {"multiply": 1})),
    "wg.mac_add": (_SUM, Arithmetic(("gradient",), {"mux": 1})),
    "wg.mac_mul": (_SUM, Arithmetic(("gradient", "input"), {"multiply": 1})),
    "fp.soma_op": (Arithmetic(("membrane",), {"add": 1, "multiply": 1, "compare": 3, "mux": 1}),),
    "fp.glm_product": (Arithmetic(("membrane",), {"add": 1, "multiply": 1}),),
    "fp.current_op": (Arithmetic(("membrane",), {"add": 1, "multiply": 1}),),
    "fp.current_pool": (Arithmetic(("membrane",), {"add": 1}),),
    "fp.shortcut_add": (Arithmetic(("membrane",), {"add": 1}),),
    "fp.norm_stat": (Arithmetic(("membrane",), {"add": 2, "multiply": 1}),),
    "fp.norm_op": (Arithmetic(("membrane",), {"add": 1, "multiply": 2}),),
    "fp.norm_channel": (Arithmetic(("membrane",), {"add": 2, "multiply": 4, "root": 1}),),
    "fp.norm_scale": (Arithmetic(("membrane",), {"add": 1, "multiply": 1}),),
    "bp.grad_op": (Arithmetic(("gradient",), {"add": 2, "multiply": 4, "mux": 1}),),
    "bp.current_op": (Arithmetic(("gradient",), {"add": 1, "multiply": 1}),),
    "bp.learnt_op": (Arithmetic(("gradient",), {"add": 2, "multiply": 1}),),
    "bp.norm_stat": (Arithmetic(("gradient",), {"add": 4, "multiply": 1}),),
    "bp.norm_op": (Arithmetic(("gradient",), {"add": 3, "multiply": 2}),),
    "bp.norm_channel": (Arithmetic(("gradient",), {"multiply": 22}),),
    "bp.norm_scale": (Arithmetic(("gradient",), {"multiply": 1}),),
    "wg.update_op_sgd": (Arithmetic(("weight",), {"add": 1, "multiply": 1}),),
    "wg.update_op_adam": (Arithmetic(("optimizer",), {"add": 4, "multiply": 11, "root": 1}),),
    "engine.mac_idle": (Arithmetic(("weight",), {"mux": 1}),),
    **dict.fromkeys(
        ("fp.norm_add", "bp.norm_add", "bp.reduce_add", "wg.reduce_add", "engine.merge_add",
         "fp.bias_add", "bp.bias_add"), (_SUM,),
    ),
}  # fmt: skip


def words_ratio(action: str, chip: Precision, table: Precision) -> float:
    """Width of an action's word on the chip, of that for which the table states its price."""
    key = WORDS.get(action)
    return getattr(chip, key) / getattr(table, key) if key else 1.0


def operations_ratio(action: str, chip: Precision, table: Precision) -> float:
    """Price of an action's operations on the chip, of that in the formats of the table."""
    parts = OPERATIONS.get(action)
    return _price(parts, chip) / _price(parts, table) if parts else 1.0


def _price(parts: tuple[Arithmetic, ...], precision: Precision) -> float:
    return sum(
        max(operations_pj(part.operations, getattr(precision, key)) for key in part.keys)
        for part in parts
    )
