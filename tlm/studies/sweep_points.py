"""The points of a sweep: every combination of the values that its axes name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from tlm.errors import ConfigError

MOST_POINTS = 100_000
_COMMA = re.compile(r",(?![^\[{]*[\]}])")  # none inside of a list or a mapping


@dataclass(frozen=True, slots=True)
class SweepAxis:
    """A key of the chip and the values it takes, as ``--set`` spells them."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One run of a sweep: its number from 1, and its values in the order of the axes."""

    number: int
    values: tuple[str, ...]


def parse_axis(text: str) -> SweepAxis:
    """An axis from ``KEY=VALUE,VALUE,...``; commas inside of brackets belong to a value.

    Raises:
        ConfigError: it is not so.
    """
    key, equals, rest = text.partition("=")
    values = tuple(value.strip() for value in _COMMA.split(rest))
    if not (key.strip() and equals and all(values)):
        raise ConfigError(
            f"--over: {text!r}: expected KEY=VALUE,VALUE,..., such as core.outstanding=4,8,16"
        )
    if len(set(values)) < len(values):
        raise ConfigError(f"--over: {text!r}: a value stands there twice; give each once")
    return SweepAxis(key.strip(), values)


def points_of(axes: Sequence[SweepAxis]) -> Iterator[SweepPoint]:
    """Every combination of the axes' values, the last axis changing fastest.

    Raises:
        ConfigError: there is no axis, a key has two, or the points are too many.
    """
    keys = [axis.key for axis in axes]
    if not keys or len(set(keys)) < len(keys):
        raise ConfigError("--over: expected one or more keys, each once")
    count = prod(len(axis.values) for axis in axes)
    if count > MOST_POINTS:
        raise ConfigError(f"--over: {count:,} points, more than {MOST_POINTS:,}; give fewer values")
    combinations = product(*(axis.values for axis in axes))
    return (SweepPoint(number, values) for number, values in enumerate(combinations, 1))
