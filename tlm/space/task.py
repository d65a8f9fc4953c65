"""The vocabulary between mapping and hardware: phases, tiles, messages, programs.

The mapping turns recorded tensors into programs of tiles; the hardware executes them. Neither
imports the other, both import this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum


class Command(IntEnum):
    """What a transaction asks of its target (TLM-2.0: ``tlm_command``); the trace's values."""

    READ = 0
    WRITE = 1
    SPIKE = 2
    GRADIENT = 3
    WEIGHT_GRADIENT = 4


BATCH = -1  # sample and step of what is done once a mini-batch; the trace's "none"


class Phase(IntEnum):
    """What a tile is part of; the values are those of the trace.

    NORM normalises by batch statistics and runs the neurons, NORM_GRAD turns dL/dI into dL/dY,
    RECOMPUTE makes currents and U of FP again for BP.
    """

    FP = 0
    LOSS = 1
    GRAD = 2
    BP = 3
    WG = 4
    REDUCE = 5
    UPDATE = 6
    NORM = 7
    NORM_GRAD = 8
    RECOMPUTE = 9


ENGINES = ("fp", "bp", "wg")
ENGINE_OF_PHASE = {
    Phase.FP: "fp",
    Phase.LOSS: "bp",
    Phase.GRAD: "bp",
    Phase.BP: "bp",
    Phase.WG: "wg",
    Phase.REDUCE: "wg",
    Phase.UPDATE: "wg",
    Phase.NORM: "fp",
    Phase.NORM_GRAD: "bp",
    Phase.RECOMPUTE: "fp",
}

Extent = tuple[int, int]  # contiguous bytes in DRAM: address, length


@dataclass(slots=True)
class Work:
    """Exact work of a tile, as docs/model.md defines it.

    ``slots`` are array cycles before skipping, ``executed`` those left; ``dense`` counts the
    multiply-accumulates of all slots, ``useful`` those with no zero operand and a needed result.
    ``energy`` maps an action of the energy table to how often the tile does it.
    """

    slots: int = 0
    executed: int = 0
    dense: int = 0
    useful: int = 0
    energy: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """A one-way payload to another core; every packet of it counts towards all of ``arrives``."""

    command: int
    core: int
    nbytes: int
    arrives: tuple[int, ...]


@dataclass(slots=True)
class Tile:
    """What an engine does between two looks at its DMA: fetch, wait, compute, hand over.

    ``needs`` (completions by messages or by tiles of the same core) hold back the computation,
    ``read_needs`` (completions by writes to DRAM) hold back the fetch. When it has computed, the
    tile counts towards ``signals`` at once and towards ``saves`` when its writes are in DRAM.
    ``covers`` is the number of result elements finished for each of its (sample, step) pairs that
    is not in ``skipped``; the exactly-once invariant adds them up.
    """

    phase: Phase
    layer: int
    sample: int
    samples: int
    step: int
    steps: int
    cycles: int = 0
    work: Work = field(default_factory=Work)
    needs: tuple[int, ...] = ()
    read_needs: tuple[int, ...] = ()
    reads: tuple[Extent, ...] = ()
    writes: tuple[Extent, ...] = ()
    messages: tuple[Message, ...] = ()
    signals: tuple[int, ...] = ()
    saves: tuple[int, ...] = ()
    covers: int = 0
    skipped: tuple[tuple[int, int], ...] = ()

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The (sample, step) pairs this tile works on."""
        for sample in range(self.sample, self.sample + self.samples):
            for step in range(self.step, self.step + self.steps):
                if (sample, step) not in self.skipped:
                    yield sample, step


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
