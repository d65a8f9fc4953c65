"""A published figure beside the model's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedPoint:
    """One published figure and the model's; ``unit`` of both.

    ``standing`` is ``validated`` if no figure of the model was fitted to it, ``calibrated`` if one
    was, ``not comparable`` if the source's method does not measure what the model computes.
    """

    what: str
    unit: str
    predicted: float
    published: float
    standing: str
    source: str

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted / self.published - 1
