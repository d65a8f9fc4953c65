"""Dropouts on the way to a product: what they kept, arranged as the elements that they multiply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.arranging import ZERO
from tlm.workload.capture.factors import Terms
from tlm.workload.model import BoolArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dropout:
    """What a dropout of the share ``dropped`` ``kept`` of what one call reads, a row a sample."""

    dropped: float
    kept: BoolArray


def multiplier_of(node: Any) -> Tensor | None:
    """What a dropout ``node`` multiplies its operand with; None if it is no dropout.

    It has no gradient, and is 0, or the inverse of the share that is kept.
    """
    if type(node).__name__.startswith("NativeDropout"):
        kept = node._saved_result1
        return kept / (1 - node._saved_p)
    operands = zip(node.next_functions, (node._saved_self, node._saved_other), strict=True)
    constant = next((saved for (maker, _), saved in operands if maker is None), None)
    if constant is None or constant.ndim == 0 or not _is_dropout(constant):
        return None
    return constant.detach().cpu()


def _is_dropout(multiplier: Tensor) -> bool:
    largest = float(multiplier.max())
    return largest > 1 and bool(((multiplier == 0) | (multiplier == largest)).all())


def dropout_of(where: str, terms: Terms) -> Dropout | None:
    """The dropout of all that is read; None without any.

    Raises WorkloadError if only a part is dropped, or parts by dropouts of their own.
    """
    multipliers = [
        [factor.multiplier for factor in term if factor.multiplier is not None] for term in terms
    ]
    if not any(multipliers):
        return None
    first = next(each[0] for each in multipliers if each)
    if any(len(each) != 1 or not each[0].equal(first) for each in multipliers):
        raise WorkloadError(
            f"{where}: it reads a sum, a product or a pool of which a part passes a dropout; drop "
            "what is read as a whole, right before it is read"
        )
    padded = terms[0][0].places == ZERO
    values = np.asarray(first.masked_fill(padded, 0))
    share = float(values.max())
    if not (share > 1 and np.isin(values, (0, share)).all()):
        raise WorkloadError(
            f"{where}: parts of what it reads pass no dropout, or another one; drop what is read "
            "as a whole, right before it is read"
        )
    return Dropout(1 - 1 / share, values != 0)


def check_not_pooled(where: str, terms: Terms) -> None:
    """Refuse a pool of what a dropout has passed."""
    if any(factor.multiplier is not None for term in terms for factor in term):
        raise WorkloadError(
            f"{where}: it reads a pool of what a dropout has passed; put the dropout behind the "
            "pool"
        )
