"""What one call of a product reads, by rows: factors, their products, sums of these, parts.

Rows are what the axes of time and batch come to, whichever of them a tensor has: [N, ...]. Which
steps and samples they are is known once the whole iteration is (:mod:`reading`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from tlm.errors import WorkloadError
from tlm.workload.capture.dropouts import Dropout
from tlm.workload.capture.windows import narrowed
from tlm.workload.model import IntArray, Pool, Shape3
from tlm.workload.operand import Step, Window, shape_behind

NO_ROW = -1


@dataclass(frozen=True, eq=False)
class RowFactor:
    """A factor by rows: ``rows`` [N] are those of the source's outputs, all calls in order.

    They are -1 where it is zero. It is multiplied with the constant ``scale``. The source
    ``INPUT`` is what has no gradient: its way is empty but for pools, and its rows say only where.
    """

    source: str
    way: tuple[Step, ...]
    rows: IntArray
    scale: float = 1.0
    inverted: bool = False

    @property
    def key(self) -> tuple[str, tuple[Step, ...], float, bool]:
        """What it is, without where."""
        return self.source, self.way, self.scale, self.inverted

    def narrowed(self, start: int, stop: int) -> RowFactor:
        """Channels ``start``..``stop`` of it."""
        if not self.way or not isinstance(window := self.way[-1], Window):
            return self
        return replace(self, way=(*self.way[:-1], narrowed(window, start, stop)))


@dataclass(frozen=True, eq=False)
class RowTerm:
    """A product of ``factors``; the inverted ones are the last."""

    factors: tuple[RowFactor, ...]

    @property
    def key(self) -> Any:
        """What it is, without where."""
        return tuple(factor.key for factor in self.factors)

    @property
    def scale(self) -> float:
        """The constant that it is multiplied with."""
        return prod(factor.scale for factor in self.factors)

    def times(self, factor: float) -> RowTerm:
        """The term multiplied with a constant."""
        first, *others = self.factors
        return RowTerm((replace(first, scale=first.scale * factor), *others))

    def narrowed(self, start: int, stop: int) -> RowTerm:
        """Channels ``start``..``stop`` of it."""
        return RowTerm(tuple(factor.narrowed(start, stop) for factor in self.factors))


@dataclass(frozen=True, eq=False)
class RowPart:
    """``channels`` that are the sum of ``terms``."""

    channels: int
    terms: tuple[RowTerm, ...]


@dataclass(frozen=True, eq=False)
class CallReading:
    """Parts in order of their channels, the pools of them all, the last first, and the dropout
    behind these.
    """

    parts: tuple[RowPart, ...]
    pools: tuple[Pool, ...] = ()
    dropout: Dropout | None = None

    @property
    def factors(self) -> Iterator[RowFactor]:
        """All that is read, part by part."""
        return (factor for part in self.parts for term in part.terms for factor in term.factors)

    @property
    def key(self) -> Any:
        """What is read, without which rows."""
        return self.pools, tuple(
            (part.channels, tuple(term.key for term in part.terms)) for part in self.parts
        )

    def unscaled(self, where: str) -> tuple[CallReading, float]:
        """What is read before it is multiplied with a constant, and that.

        Raises WorkloadError if it is not multiplied with one constant throughout.
        """
        scales = {term.scale for part in self.parts for term in part.terms} or {1.0}
        if len(scales) > 1:
            raise WorkloadError(
                f"{where}: its input is put together of tensors multiplied with "
                f"{' and '.join(f'{scale:g}' for scale in sorted(scales))}; multiply all with one "
                "constant, or put it into weights"
            )
        (scale,) = scales
        return self.times(1 / scale), scale

    def times(self, factor: float) -> CallReading:
        """What is read, multiplied with a constant."""
        parts = (
            replace(part, terms=tuple(term.times(factor) for term in part.terms))
            for part in self.parts
        )
        return self if factor == 1 else replace(self, parts=tuple(parts))

    @property
    def alone(self) -> str | None:
        """The boundary whose output it is, as it is; None if it is anything else."""
        if len(self.parts) > 1 or len(self.parts[0].terms) != 1 or self.pools:
            return None
        factor, *others = self.parts[0].terms[0].factors
        if others or len(factor.way) != 1:
            return None
        plain = isinstance(window := factor.way[0], Window) and window.is_whole
        return factor.source if plain else None

    @property
    def pooled_shape(self) -> Shape3 | None:
        """Shape (C, H, W) behind the pools of all; None without any."""
        windows = (factor.way[-1] for factor in self.factors if factor.way)
        window = next((step for step in windows if isinstance(step, Window)), None)
        if window is None or not self.pools:
            return None
        channels = sum(part.channels for part in self.parts)
        return shape_behind(self.pools[::-1], (channels, *window.shape_behind[1:]))
