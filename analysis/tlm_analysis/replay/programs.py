"""The replay's engines: the same life of a tile as in the run, over the replay's fabric."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence

from tlm.space.tile import Extent, Tile
from tlm_analysis.replay.chip import ReplayChip
from tlm_analysis.replay.fabric import Fabric
from tlm_analysis.replay.packet import MESSAGE, READ, WRITE, ReplayPacket, ReplayPiece

OUTPUTS_HELD = 2  # results of so many tiles may be on their way (double buffer)


class _Done:
    """Arrivals still missing, the engines that wait for the last, and what it triggers."""

    __slots__ = ("calls", "left", "saves", "waiters")

    def __init__(self, left: int, saves: tuple[_Done, ...] = ()) -> None:
        self.left = left
        self.saves = saves
        self.calls: list[Callable[[], None]] = []
        self.waiters: list[_Engine] = []


Wait = _Done | int  # a completion, or a time in ps


class _Engine:
    """One engine: its program, and the queue and window of its DMA."""

    __slots__ = ("core", "flying", "outputs", "program", "queue")

    def __init__(self, core: int) -> None:
        self.core = core
        self.flying = 0
        self.queue: deque[tuple[int, ReplayPacket]] = deque()
        self.outputs: deque[_Done] = deque()
        self.program: Generator[Wait, None, None]


def replay_ps(
    cores: Sequence[Sequence[Sequence[Tile]]],
    arrivals: Sequence[int],
    chip: ReplayChip,
) -> int:
    """Makespan in ps of the programs ``cores[core][engine]``, tasks in their order.

    ``arrivals`` are those that each completion needs, by its number.
    """
    replay = _Replay(chip, [_Done(count) for count in arrivals])
    for core, engines in enumerate(cores):
        for tasks in engines:
            replay.add(core, tasks)
    return replay.run()


class _Replay:
    def __init__(self, chip: ReplayChip, completions: list[_Done]) -> None:
        self._chip = chip
        self._fabric = Fabric(chip)
        self._window = chip.config.core.outstanding
        self._payloads = chip.packet_format.payloads
        self._core = chip.config.core
        self._completions = completions
        self._ready: deque[_Engine] = deque()

    def add(self, core: int, tasks: Sequence[Tile]) -> None:
        engine = _Engine(core)
        engine.program = self._program(engine, tasks)
        self._ready.append(engine)

    def run(self) -> int:
        while True:
            while self._ready:
                self._resume(self._ready.popleft())
            if not self._fabric.step():
                return self._fabric.now

    def _resume(self, engine: _Engine) -> None:
        """Run an engine's program up to the next thing it has to wait for."""
        for wait in engine.program:
            if isinstance(wait, int):
                self._fabric.at(self._fabric.now + wait, self._ready.append, engine)
                return
            if wait.left:
                wait.waiters.append(engine)
                return

    def _arrive(self, done: _Done) -> None:
        done.left -= 1
        if not done.left:
            for call in done.calls:
                call()
            self._ready.extend(done.waiters)
            for save in done.saves:
                self._arrive(save)

    def _program(self, engine: _Engine, tasks: Sequence[Tile]) -> Generator[Wait, None, None]:
        """Fetch a tile ahead, wait for what it needs, compute, hand over."""
        period_ps = self._core.period_of(engine.core)
        ahead, ahead_of = self._fetch_from(engine, tasks, 0)
        for index, task in enumerate(tasks):
            current = None
            yield from map(self._completions.__getitem__, task.read_needs)
            if ahead_of == index:
                current = ahead
                ahead, ahead_of = self._fetch_from(engine, tasks, index + 1)
            yield from map(self._completions.__getitem__, task.needs)
            if current is not None:
                yield current
            if task.writes or task.messages:
                while len(engine.outputs) >= OUTPUTS_HELD:
                    yield engine.outputs.popleft()
            if task.cycles:
                yield task.cycles * period_ps
            self._hand_over(engine, task)

    def _fetch_from(
        self, engine: _Engine, tasks: Sequence[Tile], index: int
    ) -> tuple[_Done | None, int]:
        """Let the next tile from ``index`` on that may fetch do so; says when it has, and which."""
        while index < len(tasks) and tasks[index].fetches_nothing:
            index += 1
        if index == len(tasks) or not tasks[index].reads:
            return None, index
        task = tasks[index]
        late = [done for done in map(self._completions.__getitem__, task.read_needs) if done.left]
        if not late:
            return self._fetch(engine, task), index
        fetched, saved = _Done(1), _Done(len(late))
        saved.calls.append(lambda: self._fetch_late(engine, task, fetched))
        for done in late:
            done.calls.append(lambda: self._arrive(saved))
        return fetched, index

    def _fetch_late(self, engine: _Engine, task: Tile, fetched: _Done) -> None:
        reads = self._fetch(engine, task)
        if reads is None:  # all its extents are empty
            self._arrive(fetched)
        else:
            reads.calls.append(lambda: self._arrive(fetched))

    def _fetch(self, engine: _Engine, task: Tile) -> _Done | None:
        pieces = self._pieces(task.reads)
        done = _Done(len(pieces))
        self._queue(engine, READ, pieces, (done,))
        self._issue(engine)
        return done if pieces else None

    def _hand_over(self, engine: _Engine, task: Tile) -> None:
        """Post a task's writes and messages, and tell those who wait on the same core."""
        named = self._completions
        pieces = self._pieces(task.writes)
        packets = [(message, self._payloads(message.nbytes)) for message in task.messages]
        saves = tuple(named[ident] for ident in task.saves)
        output = _Done(len(pieces) + sum(len(sizes) for _, sizes in packets))
        if output.left:
            engine.outputs.append(output)
        self._queue(engine, WRITE, pieces, (output, _Done(len(pieces), saves)))
        for message, sizes in packets:
            arrives = tuple(named[ident] for ident in message.arrives)
            to_core = [ReplayPiece(message.core, 0, size, 0) for size in sizes]
            self._queue(engine, MESSAGE, to_core, (output, *arrives))
        self._issue(engine)
        for done in saves if not pieces else ():
            self._arrive(done)
        for ident in task.signals:
            self._arrive(named[ident])

    def _pieces(self, extents: Sequence[Extent]) -> list[ReplayPiece]:
        """The packets that read or write some extents."""
        split = self._chip.split
        return [
            ReplayPiece(channel, address, nbytes, split.bursts(address, nbytes))
            for extent in extents
            for channel, address, nbytes in split.pieces(extent)
        ]

    def _queue(
        self, engine: _Engine, kind: int, pieces: list[ReplayPiece],
        dones: tuple[_Done, ...],
    ) -> None:  # fmt: skip
        first = 0 if kind == MESSAGE else self._fabric.first_channel

        def closed(packet: ReplayPacket) -> None:
            engine.flying -= 1
            self._issue(engine)
            for done in packet.dones:
                self._arrive(done)

        for piece in pieces:
            packet = ReplayPacket(kind, engine.core, piece, closed, dones)
            engine.queue.append((first + piece.place, packet))

    def _issue(self, engine: _Engine) -> None:
        """Send as many queued packets as the window allows."""
        while engine.queue and engine.flying < self._window:
            target, packet = engine.queue.popleft()
            engine.flying += 1
            nbytes = 0 if packet.kind == READ else packet.nbytes
            self._fabric.send(packet, engine.core, target, nbytes)
