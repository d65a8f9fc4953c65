"""The DMA of one engine: cuts transfers into packets and keeps a window of them in flight."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from tlm.hardware.noc.network import ChipNetwork
from tlm.hardware.sockets import InitiatorSocket
from tlm.kernel import Callbacks, Done, Environment, Path, Transaction
from tlm.space.packets import AddressSplit, ChannelPiece
from tlm.space.phase import Command
from tlm.space.tile import Message, Producer, Tile
from tlm.space.trace_rows import TransactionRow

READ, WRITE = int(Command.READ), int(Command.WRITE)  # plain ints: an enum costs twice in a test

# A row by the names of its columns: an attribute each, of the transaction or of its tile. Reading
# them so costs 0.5 us of the 60 us that a transaction takes; a row built by keywords costs three
# times as much.
_ELSEWHERE = {"id": "ident"} | {
    column: f"job.tile.{column}" for column in ("phase", "layer", "sample", "step")
}
_row_of: Callable[[Transaction], tuple[int, ...]] = attrgetter(
    *(_ELSEWHERE.get(column, column) for column in TransactionRow._fields)
)


@dataclass(slots=True)
class Traffic:
    """What the transactions of one (phase, layer) moved: payload bytes, bursts, flits and hops.

    ``read_regions`` and ``written_regions`` are bytes by region of addresses, counted when a
    transaction has come to its end; all else is counted when it is queued.
    """

    transactions: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    message_bytes: int = 0
    read_bursts: int = 0
    write_bursts: int = 0
    router_flits: int = 0
    link_flits: int = 0
    read_regions: Counter[int] = field(default_factory=Counter)
    written_regions: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Way:
    """The way to a target: path of a request, path of its response, and mesh links on each."""

    terminal: int
    unit: int
    request: Path
    response: Path
    hops: int


class Ways(dict[int, Way]):
    """Ways by a target's number, each laid when it is first used: few of all pairs ever are."""

    def __init__(self, lay: Callable[[int], Way]) -> None:
        super().__init__()
        self._lay = lay

    def __missing__(self, number: int) -> Way:
        way = self[number] = self._lay(number)
        return way


@dataclass(slots=True)
class Transfer:
    """What the packets of one transfer share; each of them counts towards all ``arrivals``."""

    dma: Dma
    tile: Tile
    done: Done
    arrivals: tuple[Done, ...] = ()


@dataclass(slots=True)
class Dma:
    """Issues transactions in order, at most ``window`` outstanding; a response frees a place.

    Writes and messages (spikes, gradients) are posted: a write leaves the window when the
    controller acknowledges it, a message when it is delivered. ``regions`` are the first addresses
    of the regions that bytes are counted by.
    """

    env: Environment
    network: ChipNetwork
    split: AddressSplit
    terminal: int
    unit: int
    window: int
    socket: InitiatorSocket
    traffic: dict[tuple[int, int], Traffic]
    rows: list[tuple[int, ...]] | None
    idents: Any
    regions: Sequence[int]
    to_channel: Ways = field(init=False)
    to_core: Ways = field(init=False)
    outstanding: int = 0
    delivered_bytes: int = 0
    first_channel: int = 0
    idle: Done | None = None
    queue: deque[tuple[int, Way, int, int, int, Transfer]] = field(default_factory=deque)

    def connect(
        self, channels: list[tuple[int, int, Callbacks]], cores: list[tuple[int, int]]
    ) -> None:
        """Know every channel (terminal, unit, callbacks) and core (terminal, unit)."""
        network, here = self.network, self.terminal
        self.first_channel = channels[0][1]

        def to_channel(number: int) -> Way:
            terminal, unit, accept = channels[number]
            request = network.path(here, terminal, accept)
            response = network.path(terminal, here, (self.answered,))
            return Way(terminal, unit, request, response, network.hops(here, terminal))

        def to_core(number: int) -> Way:
            terminal, unit = cores[number]
            request = network.path(here, terminal, (self._delivered,))
            return Way(terminal, unit, request, (), network.hops(here, terminal))

        self.to_channel, self.to_core = Ways(to_channel), Ways(to_core)

    def fetch(self, tile: Tile) -> Done | None:
        """Start reading what a tile needs from DRAM; None if it needs nothing."""
        pieces = [piece for extent in tile.reads for piece in self.split.pieces(extent)]
        if not pieces:
            return None
        done = Done(len(pieces), "its reads from DRAM")
        self._access(READ, pieces, Transfer(self, tile, done))
        self._issue()
        return done

    def hand_over(self, tile: Tile, messages: list[tuple[Message, tuple[Done, ...]]],
                  saves: tuple[Done, ...]) -> Done | None:  # fmt: skip
        """Start writing a tile's results and posting its messages; None if there are none.

        ``saves`` are told when the writes are in DRAM, each message's completions when it arrives.
        """
        pieces = [piece for extent in tile.writes for piece in self.split.pieces(extent)]
        payloads = self.network.packet_format.payloads
        packets = [payloads(message.nbytes) for message, _ in messages]
        now, producer = self.env.now, Producer(tile.phase, tile.layer, self.unit)
        for save in saves:
            save.post(now, producer)
        if not pieces:
            for save in saves:
                save.arrive()
        if not pieces and not packets:
            return None
        output = Done(len(pieces) + sum(map(len, packets)), "its writes and messages")
        if pieces:
            written = Done(len(pieces), "its writes to DRAM")
            assert written.callbacks is not None
            written.callbacks.append(partial(self._saved, saves))
            self._access(WRITE, pieces, Transfer(self, tile, output, (written,)))
        for (message, arrivals), sizes in zip(messages, packets, strict=True):
            for arrival in arrivals:
                arrival.post(now, producer)
            self._post(message, sizes, Transfer(self, tile, output, arrivals))
        self._issue()
        return output

    def drained(self) -> Done | None:
        """A completion for the moment nothing is queued or in flight; None if that is now."""
        if not self.outstanding:
            return None
        self.idle = Done(1, "its DMA to drain")
        return self.idle

    def answered(self, txn: Transaction) -> None:
        """A DRAM channel has moved the bytes of a transaction: count them where they lie."""
        tile = txn.job.tile
        traffic = self.traffic[tile.phase, tile.layer]
        moved = traffic.written_regions if txn.command else traffic.read_regions
        address = self.split.whole(txn.target - self.first_channel, txn.address)
        moved[bisect_right(self.regions, address) - 1] += txn.nbytes
        self.close(txn)

    def close(self, txn: Transaction) -> None:
        """A transaction has come to its end: record it, tell who waits, use the free place."""
        transfer: Transfer = txn.job
        if self.rows is not None:
            txn.end_resp = self.env.now
            self.rows.append(_row_of(txn))
        self.outstanding -= 1
        if self.queue:
            self._issue()
        for arrival in transfer.arrivals:
            arrival.arrive()
        transfer.done.arrive()
        if self.idle is not None and not self.outstanding:
            idle, self.idle = self.idle, None
            idle.arrive()

    def _access(self, command: int, pieces: list[ChannelPiece], transfer: Transfer) -> None:
        """Queue reads or writes and count what they will move, request and response."""
        tile, flits_of = transfer.tile, self.network.packet_format.flits
        total = bursts = link_flits = router_flits = 0
        header = flits_of(0)
        for channel, address, nbytes in pieces:
            way = self.to_channel[channel]
            data = flits_of(nbytes)
            flits = header + data if command == READ else data
            self.queue.append((command, way, address, nbytes, header if command == READ else data,
                               transfer))  # fmt: skip
            total += nbytes
            bursts += self.split.bursts(address, nbytes)
            link_flits += flits * way.hops
            router_flits += flits * (way.hops + 1)
        traffic = self.traffic[tile.phase, tile.layer]
        traffic.transactions += len(pieces)
        traffic.link_flits += link_flits
        traffic.router_flits += router_flits
        if command == READ:
            traffic.read_bytes += total
            traffic.read_bursts += bursts
        else:
            traffic.write_bytes += total
            traffic.write_bursts += bursts

    def _post(self, message: Message, sizes: list[int], transfer: Transfer) -> None:
        """Queue the packets of a message and count what they will move."""
        way, tile = self.to_core[message.core], transfer.tile
        traffic = self.traffic[tile.phase, tile.layer]
        traffic.transactions += len(sizes)
        traffic.message_bytes += message.nbytes
        for size in sizes:
            flits = self.network.packet_format.flits(size)
            self.queue.append((message.command, way, 0, size, flits, transfer))
            traffic.link_flits += flits * way.hops
            traffic.router_flits += flits * (way.hops + 1)

    def _saved(self, saves: tuple[Done, ...], _: Any) -> None:
        for save in saves:
            save.arrive()

    def _issue(self) -> None:
        """Send as many queued packets as the window allows."""
        queue, send, now = self.queue, self.socket.nb_transport, self.env.now
        while queue and self.outstanding < self.window:
            command, way, address, nbytes, flits, transfer = queue.popleft()
            txn = Transaction(next(self.idents), command, address, nbytes, self.unit, transfer)
            txn.target = way.unit
            txn.begin_req = now
            txn.path, txn.home = way.request, way.response
            txn.flits = flits
            self.outstanding += 1
            send(txn, self.terminal)

    def _delivered(self, txn: Transaction) -> None:
        """A message has reached its core."""
        txn.end_req = txn.begin_resp = self.env.now
        self.delivered_bytes += txn.nbytes
        self.close(txn)
