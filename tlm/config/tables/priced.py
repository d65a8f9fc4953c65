"""A price: the energy of one action, with its source."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.table_file import Confidence


@dataclass(frozen=True, slots=True)
class Action:
    """Energy of one action in pJ."""

    energy_pj: float
    source: str
    confidence: Confidence
