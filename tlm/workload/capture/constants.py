"""Hyper-parameters of a neuron, of whatever type of number they come in, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any

from tlm.errors import WorkloadError


def constant(where: str, value: Any, low: float = -inf, high: float = inf) -> float:
    """``value`` as a float: a number of Python or NumPy, or a tensor whose elements are equal.

    Raises WorkloadError naming ``where`` if it learns, differs from neuron to neuron, is no finite
    number, or lies outside of ``low``..``high``.
    """
    if getattr(value, "requires_grad", False):
        raise WorkloadError(
            f"{where}: is learnt (requires_grad is True) where a fixed number is expected; fix it "
            "with requires_grad_(False), or give its number; declare(learnt=...) takes what learns"
        )
    number = _number(where, _single(where, value))
    if not (isfinite(number) and low <= number <= high):
        ranges = {(-inf, inf): "a finite number", (0, inf): "0 or more"}
        expected = ranges.get((low, high), f"{low:g}..{high:g}")
        raise WorkloadError(f"{where}: expected {expected}, got {number:g}; give the trained value")
    return number


def flag(where: str, value: Any) -> bool:
    """``value`` as a bool; raises WorkloadError if it is none, of Python or NumPy."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise WorkloadError(f"{where}: expected True or False, got {value!r}; give one of the two")
    return bool(value)


def word(where: str, value: Any, words: Sequence[str], hint: str = "") -> Any:
    """``value``, one of ``words``; raises WorkloadError with ``hint`` behind it if it is not."""
    if not isinstance(value, str) or value not in words:
        expected = " or ".join(f'"{each}"' for each in words)
        raise WorkloadError(f"{where}: expected {expected}, got {value!r}{hint}")
    return value


def _single(where: str, value: Any) -> Any:
    """The one number that an array or tensor holds."""
    if not hasattr(value, "reshape"):
        return value
    elements = (value.detach().cpu() if hasattr(value, "detach") else value).reshape(-1)
    if len(elements) == 0:
        raise WorkloadError(f"{where}: expected a number, got an array without any; give a number")
    if bool((elements != elements[0]).any()):
        raise WorkloadError(
            f"{where}: holds {len(elements)} numbers that differ, and a layer's neurons share one "
            "fixed value in a job; give one number for the layer, or let those of its channels "
            "learn: declare(learnt=..., by_channel=True)"
        )
    return elements[0]


def _number(where: str, value: Any) -> float:
    # float() would also take texts.
    if not isinstance(value, str | bytes | bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise WorkloadError(f"{where}: expected a number, got {value!r}; give a number")
