"""An engine: fetch a tile ahead, wait for what it needs, compute, hand over; every ps accounted."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from tlm.hardware.core.dma import Dma
from tlm.kernel import Done
from tlm.space.phase import PASS_OF_PHASE, Phase
from tlm.space.tile import Producer, Tile, Work
from tlm.space.trace_rows import NONE, PHASE_NONE, ActivityRow, EngineState

OUTPUTS_HELD = 2  # output buffers of an engine: one being filled, one being written (double buffer)


@dataclass(slots=True)
class Tally:
    """What an engine has done of one (phase, layer): cycles, exact work, results by pair.

    ``begin`` and ``end`` are in ps: start of the first and end of the last tile.
    """

    begin: int
    end: int = 0
    tiles: int = 0
    cycles: int = 0
    work: Work = field(default_factory=Work)
    covered: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, tile: Tile, now: int) -> None:
        """Count a tile that has just been executed."""
        self.end = now
        self.tiles += 1
        self.cycles += tile.cycles
        total, work = self.work, tile.work
        total.slots += work.slots
        total.executed += work.executed
        total.dense += work.dense
        total.useful += work.useful
        energy = total.energy
        for action, count in work.energy.items():
            energy[action] = energy.get(action, 0) + count
        if tile.covers:
            covered = self.covered
            for pair in tile.pairs():
                covered[pair] = covered.get(pair, 0) + tile.covers


class Engine:
    """One of a core's three engines; its program runs as a SimPy process.

    Life cycle of a tile: its reads start when the tile before starts (double buffering), or as soon
    as the data are in DRAM; tiles beside the array that read nothing hold up no fetch. It computes
    when reads and needs are there and an output buffer is free; then it hands over writes, messages
    and signals. All time up to the end of the run is recorded as one interval after the other:
    compute, a stall with its reason, idle.
    Of waits for other work within a pass, ``awaited_ps`` keeps for whom: by (phase, layer) of the
    tile that waited, then by producer.

    Args:
        path: its name in the trace, such as ``chip.core03.fp``.
        period_ps: its core's clock period.
        tiles: its program, in order of execution.
        dma: fetches its operands and writes its results; has its unit number and the environment.
        completions: those of the program, by number.
        rows: takes an ``ActivityRow`` for every interval; None records nothing.
    """

    def __init__(
        self,
        path: str,
        period_ps: int,
        tiles: list[Tile],
        dma: Dma,
        completions: list[Done],
        rows: list[tuple[int, ...]] | None,
    ) -> None:
        self.env = dma.env
        self.path = path
        self.unit = dma.unit
        self.period_ps = period_ps
        self.tiles = tiles
        self.dma = dma
        self.completions = completions
        self.rows = rows
        self.spent_ps = [0] * len(EngineState)
        self.by_layer: dict[tuple[Phase, int], list[int]] = {}
        self.awaited_ps: dict[tuple[Phase, int], dict[Producer, int]] = {}
        self.tallies: dict[tuple[Phase, int], Tally] = {}
        self.begun: set[str] = set()  # passes in which it has computed
        self.position = 0
        self.waits_for: Done | None = None
        self.accounted_ps = 0
        self.early = 0  # tiles that computed before all they need was there: none, or it is a bug
        self._outputs: deque[Done] = deque()
        self._waits: list[tuple[EngineState, int]] = []  # of the tile at hand: reason, end in ps

    def start(self, finished: Done) -> None:
        """Run the program as a process of its environment, from now on."""
        self.env.process(self.run(finished))

    def run(self, finished: Done) -> Generator[Any, Any, None]:
        """Execute the program, drain the DMA, arrive at ``finished``."""
        ahead, ahead_of = self._fetch_from(0)
        for index, tile in enumerate(self.tiles):
            self.position, current = index, None
            yield from self._wait(tile.read_needs, EngineState.STALL_DRAM)
            if ahead_of == index:
                current = ahead
                ahead, ahead_of = self._fetch_from(index + 1)
            yield from self._wait(tile.needs, EngineState.STALL_NOC)
            if current is not None:
                yield from self._stall(current, EngineState.STALL_DRAM)
            self._check_inputs(tile, current)
            if tile.writes or tile.messages:
                while len(self._outputs) >= OUTPUTS_HELD:
                    yield from self._stall(self._outputs.popleft(), EngineState.STALL_WRITEBACK)
            self._settle(tile)
            if tile.cycles:
                yield self.env.timeout(tile.cycles * self.period_ps)
                self._account(EngineState.COMPUTE, tile, index)
                self.begun.add(PASS_OF_PHASE[tile.phase])
            self._hand_over(tile)
        self.position = len(self.tiles)
        drained = self.dma.drained()
        if drained is not None:
            yield from self._stall(drained, EngineState.STALL_WRITEBACK)
            self._settle(self.tiles[-1])
        finished.arrive()

    def finish(self, now: int) -> None:
        """Account the time from the last tile to the end of the run as idle."""
        if now > self.accounted_ps:
            self.spent_ps[EngineState.IDLE] += now - self.accounted_ps
            if self.rows is not None:
                self.rows.append(_idle_row(self.unit, self.accounted_ps, now))
            self.accounted_ps = now

    def _check_inputs(self, tile: Tile, reads: Done | None) -> None:
        """Count a tile that is about to compute on what has not arrived."""
        completions = self.completions
        if (reads is not None and reads.remaining) or any(
            completions[ident].remaining for ident in (*tile.needs, *tile.read_needs)
        ):
            self.early += 1

    def _fetch_from(self, index: int) -> tuple[Done | None, int]:
        """Let the next tile from ``index`` on that may fetch do so; says when it has, and which."""
        while index < len(self.tiles) and self.tiles[index].fetches_nothing:
            index += 1
        if index == len(self.tiles) or not self.tiles[index].reads:
            return None, index
        tile = self.tiles[index]
        late = [self.completions[ident] for ident in tile.read_needs]
        late = [done for done in late if done.remaining]
        if not late:
            return self.dma.fetch(tile), index
        fetched, saved = Done(1, "its reads from DRAM"), Done(len(late), "its data in DRAM")
        saved.then(lambda: self._fetch_late(tile, fetched))
        for done in late:
            done.then(saved.arrive)
        return fetched, index

    def _fetch_late(self, tile: Tile, fetched: Done) -> None:
        reads = self.dma.fetch(tile)
        if reads is None:  # all its extents are empty
            fetched.arrive()
        else:
            reads.then(fetched.arrive)

    def _wait(self, idents: tuple[int, ...], reason: EngineState) -> Iterator[Done]:
        for ident in idents:
            done = self.completions[ident]
            if done.remaining:
                yield from self._stall(done, reason)

    def _stall(self, done: Done, reason: EngineState) -> Iterator[Done]:
        """Wait; what the time is accounted as is decided when the tile has all it needs."""
        if done.remaining == 0:
            return
        self.waits_for = done
        yield done
        self.waits_for = None
        self._waits.append((reason, self.env.now))

    def _settle(self, tile: Tile) -> None:
        """Account a tile's waits: for other work until the last of it was posted, then by reason.

        Until then nothing that arrived sooner could have let the tile begin.
        """
        if not self._waits:
            return
        needs = [self.completions[ident] for ident in (*tile.read_needs, *tile.needs)]
        last = max(needs, key=lambda done: done.posted, default=None)
        if last is not None and last.posted > self.accounted_ps:
            self._depend(last.producer, tile, last.posted)
        for reason, end in self._waits:
            if end > self.accounted_ps:
                self._account(reason, tile, self.position, end)
        self._waits.clear()

    def _depend(self, producer: Producer, tile: Tile, until: int) -> None:
        """Account a wait for other work: within a pass with its producer, or before its begin."""
        if PASS_OF_PHASE[tile.phase] not in self.begun:
            self._account(EngineState.NOT_BEGUN, tile, self.position, until)
            return
        waits = self.awaited_ps.setdefault((tile.phase, tile.layer), {})
        waits[producer] = waits.get(producer, 0) + until - self.accounted_ps
        self._account(EngineState.STALL_DEPENDENCY, tile, self.position, until)

    def _account(self, state: EngineState, tile: Tile, task: int, until: int = -1) -> None:
        """Close the interval from the last accounted time to ``until`` (now by default)."""
        end = self.env.now if until < 0 else until
        begin = self.accounted_ps
        if end == begin:
            return
        self.accounted_ps = end
        self.spent_ps[state] += end - begin
        spent = self.by_layer.setdefault((tile.phase, tile.layer), [0] * len(EngineState))
        spent[state] += end - begin
        if self.rows is not None:
            self.rows.append(
                ActivityRow(
                    unit=self.unit, begin=begin, end=end, what=state, phase=tile.phase,
                    layer=tile.layer, sample=tile.sample, samples=tile.samples,
                    step=tile.step, steps=tile.steps, task=task,
                )
            )  # fmt: skip

    def _hand_over(self, tile: Tile) -> None:
        """Count the tile, post its results, tell those on the same core."""
        now = self.env.now
        tally = self.tallies.get((tile.phase, tile.layer))
        if tally is None:
            begin = now - tile.cycles * self.period_ps
            tally = self.tallies[tile.phase, tile.layer] = Tally(begin)
        tally.add(tile, now)
        completions = self.completions
        messages = [
            (message, tuple(completions[ident] for ident in message.arrives))
            for message in tile.messages
        ]
        saves = tuple(completions[ident] for ident in tile.saves)
        if messages or saves or tile.writes:
            output = self.dma.hand_over(tile, messages, saves)
            if output is not None:
                self._outputs.append(output)
        producer = Producer(tile.phase, tile.layer, self.unit)
        for ident in tile.signals:
            completions[ident].post(now, producer)
            completions[ident].arrive()


def _idle_row(unit: int, begin: int, end: int) -> ActivityRow:
    return ActivityRow(
        unit=unit, begin=begin, end=end, what=EngineState.IDLE, phase=PHASE_NONE, layer=NONE,
        sample=NONE, samples=0, step=NONE, steps=0, task=NONE,
    )  # fmt: skip
