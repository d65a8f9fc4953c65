"""A number of a table with the range in which it may lie, and where it comes from."""

from __future__ import annotations

from typing import Generic, Literal, Self, TypeVar

from pydantic import model_validator

from tlm.config.quantities import Section

Bounded = TypeVar("Bounded", bound=float)

Origin = Literal["published", "calibrated", "assumed"]


class Spread(Section, Generic[Bounded]):
    """The value that is used, and the lowest and the highest that a study takes in its place."""

    value: Bounded
    low: Bounded
    high: Bounded
    source: str
    confidence: Origin

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError("expected low <= value <= high")
        return self
