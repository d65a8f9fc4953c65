"""Tiles: what an engine does between two looks at its DMA, with its work and its messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tlm.space.phase import Phase
from tlm.space.region import Span

Extent = tuple[int, int]  # contiguous bytes in DRAM: address, length


class Producer(NamedTuple):
    """Whose result a tile waited for: phase and layer, and the unit number of the engine."""

    phase: Phase
    layer: int
    unit: int


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
    """A one-way payload of ``nbytes`` to another ``core``, sent as a :class:`Command`.

    Every packet of it counts towards all completions of ``arrives``.
    """

    command: int
    core: int
    nbytes: int
    arrives: tuple[int, ...]


@dataclass(slots=True)
class Tile:
    """What an engine does between two looks at its DMA: fetch, wait, compute, hand over.

    Builders put it together, nobody changes it then; it is not frozen because that takes longer.

    It works for ``cycles`` of the core's clock on ``samples`` samples from ``sample`` on and
    ``steps`` time steps from ``step`` on. ``needs`` (completions by messages or by tiles of the
    same core) hold back the computation, ``read_needs`` (completions by writes to DRAM) hold back
    the fetch. When it has computed, the tile counts towards ``signals`` at once, and towards
    ``saves`` when its writes are in DRAM.
    ``covers`` is the number of result elements finished for each of its (sample, step) pairs that
    is not in ``skipped``; the exactly-once invariant adds them up. ``rows`` are those of the grid
    that it walks, empty where it walks none.
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
    rows: Span = (0, 0)

    @property
    def fetches_nothing(self) -> bool:
        """Whether it is one of the units beside the BP array, and reads nothing from DRAM."""
        return self.phase in (Phase.LOSS, Phase.GRAD, Phase.NORM_GRAD) and not self.reads

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The (sample, step) pairs this tile works on."""
        for sample in range(self.sample, self.sample + self.samples):
            for step in range(self.step, self.step + self.steps):
                if (sample, step) not in self.skipped:
                    yield sample, step
