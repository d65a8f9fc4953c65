"""Hyper-parameters of a neuron, of whatever type of number they come in, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, TypeAlias

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.values import FloatArray, Numbers

Constant: TypeAlias = float | Numbers
"""A number, or an array of several that differ from neuron to neuron."""


def constant(where: str, value: Any, low: float = -inf, high: float = inf) -> float:
    """``value`` as a float: a number of Python or NumPy, or a tensor whose elements are equal.

    Raises WorkloadError naming ``where`` if it learns, holds numbers that differ, is no finite
    number, or lies outside of ``low``..``high``.
    """
    given = constants(where, value, low, high)
    if isinstance(given, float):
        return given
    raise WorkloadError(
        f"{where}: holds {given.size} numbers that differ, where neurons of a layer have one "
        "number in common; give one"
    )


def constants(where: str, value: Any, low: float = -inf, high: float = inf) -> Constant:
    """``value`` as a float, or as an array of its shape if its elements differ.

    Raises WorkloadError as :func:`constant` does for all but numbers that differ.
    """
    if getattr(value, "requires_grad", False):
        raise WorkloadError(
            f"{where}: is learnt (requires_grad is True) where a fixed number is expected; fix it "
            "with requires_grad_(False), or give its number; declare(learnt=...) takes what learns"
        )
    elements = _elements(where, value)
    for number in elements.ravel().tolist():
        if not (isfinite(number) and low <= number <= high):
            ranges = {(-inf, inf): "a finite number", (0, inf): "0 or more"}
            expected = ranges.get((low, high), f"{low:g}..{high:g}")
            raise WorkloadError(
                f"{where}: expected {expected}, got {number:g}; give the trained value"
            )
    first = float(elements.flat[0])
    return first if (elements == first).all() else elements


def apart(given: Mapping[str, Constant]) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Constants as one number each, the mean of several, and those that are several by name."""
    several = {
        name: np.asarray(value, np.float32) for name, value in given.items() if np.ndim(value) > 0
    }
    return {name: float(np.mean(value)) for name, value in given.items()}, several


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


def _elements(where: str, value: Any) -> Numbers:
    """The numbers of an array or tensor, in its shape; of a number itself."""
    if not hasattr(value, "reshape"):
        return np.asarray(_number(where, value))
    elements = np.asarray(value.tolist())
    if elements.size == 0:
        raise WorkloadError(f"{where}: expected a number, got an array without any; give a number")
    if elements.dtype.kind not in "iuf":
        raise WorkloadError(f"{where}: expected numbers, got {elements.dtype}; give numbers")
    return elements.astype(np.float64)


def _number(where: str, value: Any) -> float:
    # float() would also take texts.
    if not isinstance(value, str | bytes | bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise WorkloadError(f"{where}: expected a number, got {value!r}; give a number")
