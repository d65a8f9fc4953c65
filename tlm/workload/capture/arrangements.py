"""How the elements of a map lie: worked out once for calls of a boundary that read alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tlm.workload.capture.provenance import Call, ElementOrigin
from tlm.workload.capture.row_terms import RowFactor
from tlm.workload.capture.windows import PlaceSpan
from tlm.workload.model import IntArray

Located: TypeAlias = tuple[int, int, RowFactor]
"""A factor with its first channel and the one behind its last."""

OriginRows: TypeAlias = tuple[IntArray, IntArray]
"""By row of a map [N]: the number of the origin that it reads, and the row there; -1 for none."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The windows that a map is made of, each with the rows that it reads.

    ``without_gradient`` are the factors of elements that no boundary left.
    """

    spans: Sequence[tuple[PlaceSpan, OriginRows]]
    without_gradient: Sequence[Located]


class Arrangements:
    """Remembers how a boundary's maps lay in its last call.

    In a network that runs step by step, each call reads the step before in the same order: to
    work that out anew was more than a quarter of what recording a recurrent layer cost.
    """

    def __init__(self) -> None:
        self._last: dict[object, tuple[IntArray, Arrangement]] = {}

    def of(
        self,
        elements: IntArray,
        origins: Sequence[ElementOrigin],
        arranged: Callable[[IntArray], Arrangement],
    ) -> Arrangement:
        """What ``arranged`` says of ``elements``, whose numbers are those of ``origins``."""
        if any(not isinstance(origin.of, Call) for origin in origins):
            return arranged(elements)
        key = tuple(
            (origin.of.name, origin.shape, origin.first, origin.scale)
            for origin in origins
            if isinstance(origin.of, Call)
        )
        last = self._last.get(key)
        if last is None or not np.array_equal(last[0], elements):
            last = self._last[key] = elements, arranged(elements)
        return last[1]
