"""The class of a tensor in DRAM: what it holds, whatever layer it is of."""

from __future__ import annotations

import re

_CLASSES = {"S_pooled": "S", "m_pooled": "m", "A_winner": "winner", "carry": "U", "dS": "dX"}


def tensor_class(name: str) -> str:
    """U, S, dY, W, moments, ... of a tensor by its name in the plan.

    ``conv0.dX3`` is a dX, ``conv0.dW.core05`` a dW, ``conv0.bias.moment1`` belongs to the moments;
    pooled spikes and masks count as S and m, U carried from step to step as U, dS as the dX that it
    sums.
    """
    parts = name.split(".")
    last = parts[-2] if re.fullmatch(r"core\d+", parts[-1]) else parts[-1]
    if last.startswith("moment"):
        return "moments"
    return _CLASSES.get(last, last.rstrip("0123456789"))
