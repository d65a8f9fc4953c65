"""One law of a run, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One law: whether it holds, and the two sides of it in words."""

    name: str
    holds: bool
    detail: str
