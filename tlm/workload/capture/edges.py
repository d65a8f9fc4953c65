"""What a boundary reads, as edges of the graph: other boundaries, through pools."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.workload.model import Pool
from tlm.workload.operand import Step

INPUT = ""
"""Name of the source that is no boundary: the network's input."""


@dataclass(frozen=True)
class ReadFactor:
    """A factor of an operand, by the name of its source instead of a layer's index."""

    source: str
    way: tuple[Step, ...]
    delay: int
    inverted: bool = False


@dataclass(frozen=True)
class ReadTerm:
    """A product of ``factors``; the inverted ones are the last."""

    factors: tuple[ReadFactor, ...]


@dataclass(frozen=True)
class Edge:
    """One way back to a boundary: its name, and the pools passed, the nearest first.

    Of something that is more than a sum each edge is a ``factor``; its pools are then those on the
    way right behind the source.
    """

    source: str
    pools: tuple[Pool, ...]
    factor: ReadFactor | None = None
