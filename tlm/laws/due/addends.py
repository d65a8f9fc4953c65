"""What layers put together and add to their currents, and where dI of them goes, by element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np

from tlm.laws.due.operands import Branch, branches, gathered, operand_shape, places
from tlm.space.array_types import Bools, Ints
from tlm.workload.model import Addend, Layer


def taken(addend: Addend, layers: Sequence[Layer], source: int) -> Bools:
    """Elements that ``source`` leaves, [*pooled_shape], of which an addend is made."""
    flags = np.zeros(layers[source].pooled_shape, np.bool_)
    for branch in _of(addend, layers, source):
        flags |= branch.needs(np.ones(branch.behind, np.bool_))
    return flags


def multiplied(addend: Addend, layers: Sequence[Layer], source: int, other: int) -> Bools:
    """Elements that ``source`` leaves which dI is multiplied with on its way to ``other``."""
    flags = np.zeros(layers[source].pooled_shape, np.bool_)
    for term in _terms(addend, layers):
        for toward in (branch for branch in term if branch.source == other):
            reached = toward.comes(np.ones(toward.shape, np.bool_))
            for branch in term:
                if branch.source == source and branch is not toward:
                    flags |= branch.needs(reached)
    return flags


def returned(addend: Addend, layers: Sequence[Layer], source: int) -> Bools:
    """Elements of dI, behind the addend's pool, that go to ``source``."""
    shape = operand_shape(addend, layers)
    flags = np.zeros(shape, np.bool_)
    for branch in _of(addend, layers, source):
        flags[branch.first : branch.end] |= branch.comes(np.ones(branch.shape, np.bool_))
    pool = addend.input_pool
    return flags if pool is None else gathered(places(pool, shape), flags)


def returned_parts(addend: Addend, layers: Sequence[Layer], source: int) -> Ints:
    """How many dI of an addend every element of an output receives, [*pooled_shape]."""
    parts = np.zeros(layers[source].pooled_shape, np.int64)
    for branch in _of(addend, layers, source):
        parts += branch.returned()
    return parts


def _of(addend: Addend, layers: Sequence[Layer], source: int) -> list[Branch]:
    return [branch for branch in branches(addend, layers) if branch.source == source]


def _terms(addend: Addend, layers: Sequence[Layer]) -> Iterator[list[Branch]]:
    """The branches of an addend, term by term."""
    for _, term in groupby(branches(addend, layers), attrgetter("term")):
        yield list(term)
