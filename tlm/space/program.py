"""Programs: the tiles of every engine of every core, and the completions that order them.

The program builders write them, the hardware runs them. Neither imports the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tlm.space.phase import Phase
from tlm.space.tile import Extent, Tile


class Completions:
    """Counted completions by name: who has to arrive how often before a tile may go on."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.counts: list[int] = []
        self._ids: dict[tuple[object, ...], int] = {}

    def ident(self, *key: object) -> int:
        """The id of a completion, made on first use; ``key`` is also its label in reports."""
        if key not in self._ids:
            self._ids[key] = len(self.labels)
            self.labels.append(" ".join(str(part) for part in key))
            self.counts.append(0)
        return self._ids[key]

    def expect(self, ident: int, arrivals: int = 1) -> int:
        """Announce arrivals; returns ``ident`` so that announcing and referring are one step."""
        self.counts[ident] += arrivals
        return ident


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in DRAM, and what a mini-batch must at least move of it.

    ``given`` tensors are there from the start. At least ``written`` bytes are written and ``read``
    bytes are read; ``once``: no more than that is written; ``through``: all that is written is read
    once.
    """

    name: str
    at: Extent
    given: bool = False
    written: int = 0
    read: int = 0
    once: bool = False
    through: bool = False


@dataclass(frozen=True, slots=True)
class WeightsDue:
    """What a core needs of a layer's weights in FP or in BP.

    ``nbytes`` of the tensor ``at`` have to come from DRAM; every (sample, step) needs all of them,
    and is done when ``elements`` results are; ``room`` bytes may stay in the core. ``rounded``: a
    weight is no whole number of bytes.
    """

    at: Extent
    nbytes: int
    elements: int
    room: int
    rounded: bool


@dataclass(slots=True)
class Program:
    """All tiles of a mini-batch: ``tiles[core][engine]`` in execution order.

    ``required`` gives, by (phase, layer), the result elements due for each (sample, step);
    ``expected_useful`` the useful operations by a count that does not use tiles,
    ``expected_dense`` all operations by the layer's shape, and ``expected_actions`` how often a
    unit is used in a (phase, layer), ``expected_messages`` the bytes a (phase, layer) sends.
    ``expected_accesses`` gives the least number of accesses of a unit's memory, and how many more a
    tile may need (-1: any number); ``expected_weights`` is by (core, engine, layer);
    ``expected_senders`` gives, by the label of a completion, the cores that must arrive there;
    ``stored`` are all tensors in DRAM by address.
    """

    tiles: list[dict[str, list[Tile]]]
    completions: Completions
    required: dict[tuple[Phase, int], dict[tuple[int, int], int]]
    expected_useful: dict[tuple[Phase, int], int]
    expected_dense: dict[tuple[Phase, int], int] = field(default_factory=dict)
    expected_actions: dict[tuple[Phase, int, str], int] = field(default_factory=dict)
    expected_messages: dict[tuple[Phase, int], int] = field(default_factory=dict)
    expected_accesses: dict[tuple[Phase, int, str], tuple[int, int]] = field(default_factory=dict)
    expected_weights: dict[tuple[int, str, int], WeightsDue] = field(default_factory=dict)
    expected_senders: dict[str, frozenset[int]] = field(default_factory=dict)
    stored: list[Stored] = field(default_factory=list)
