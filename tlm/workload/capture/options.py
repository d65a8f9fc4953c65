"""What a user may say to Capture, checked where it is said."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

from tlm.errors import TlmError, WorkloadError
from tlm.workload.capture.constants import word
from tlm.workload.capture.declared import Declared
from tlm.workload.model import Level

if TYPE_CHECKING:
    from torch.nn import Module


@contextmanager
def told_as_refusal() -> Iterator[None]:
    """An error that nobody foresaw is told in one line too: a training must not end in ours."""
    try:
        yield
    except TlmError:
        raise
    except Exception as error:
        raise WorkloadError(
            f"no rule of the recorder fits this network ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); please report it with the network"
        ) from error


def level_words(level: Level | Sequence[Level]) -> tuple[Level, ...]:
    """Levels as told; raises WorkloadError for a word that is none."""
    levels = (level,) if isinstance(level, str) else tuple(level)
    return tuple(word("level", each, get_args(Level)) for each in levels)


def check_closed(open_forms: Sequence[str]) -> None:
    """Refuse level "exact" where a layer's surrogate has no closed form."""
    if open_forms:
        raise WorkloadError(
            f"{open_forms[0]}: its surrogate has no closed form known here, so an exact "
            'recording could not be rebuilt; save with level="value"'
        )


def whole_number(where: str, value: Any, expected: str, low: int) -> int:
    """``value`` as an int; raises WorkloadError if it is none, or below ``low``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if number < low:
        raise WorkloadError(f"{where}: expected {expected}, got {value!r}; give a whole number")
    return number


def checked_neurons(neurons: Mapping[Any, Declared], net: Module) -> dict[Any, Declared]:
    """``neurons=`` as given, once each entry is a class or a tap's name with its equation.

    Raises WorkloadError for another entry.
    """
    classes = {type(module).__name__ for module in net.modules()}
    for key, equation in neurons.items():
        if not isinstance(equation, Declared):
            raise WorkloadError(
                f"neurons: expected declare(...) for {_name(key)}, got {type(equation).__name__}; "
                "give its equation"
            )
        if isinstance(key, str) and key in classes:
            raise WorkloadError(
                f'neurons: "{key}" in quotes names a tap, and {key} is a class of modules; give '
                f"the class itself: neurons={{{key}: declare(...)}}"
            )
        if not isinstance(key, str | type):
            raise WorkloadError(
                f"neurons: expected a class or the name of a tap, got {_name(key)}; give the "
                "class of the module"
            )
    return dict(neurons)


def _name(key: Any) -> str:
    return str(getattr(key, "__name__", type(key).__name__ if not isinstance(key, str) else key))
