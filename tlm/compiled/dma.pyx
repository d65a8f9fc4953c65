"""The DMA of one engine, as ``tlm.hardware.core.dma``: packets, and a window of them in flight.

A transfer is cut into its packets when they are sent, so that what waits in the queue is one entry
for each extent or message; all counts are those of the reference, which cuts them first.
"""

from collections import deque

from libc.stdint cimport INT16_MAX, INT16_MIN, int64_t

from tlm.compiled.network cimport Network
from tlm.compiled.rows cimport RowBuffer, TransactionRow
from tlm.compiled.server cimport Done, Server, Transaction, new_transaction
from tlm.compiled.traffic cimport Regions, Traffic

cdef enum:
    READ = 0
    WRITE = 1
    MAX_UINT32 = 0xFFFFFFFF


cdef class Idents:
    """Numbers transactions in the order in which they begin; a chip has one."""


cdef class Way:
    """The way to a target: path of a request, path of its response, and mesh links on each."""


cdef class Transfer:
    """What the packets of one transfer share; each of them counts towards all ``arrivals``."""


cdef class Packets:
    """Packets still to be sent: the bytes from ``begin`` to ``end`` of an extent or a message."""


cdef class Delivery(Server):
    """Where messages of a DMA arrive: their core."""

    cdef Dma dma

    cdef int receive(self, Transaction txn) except -1:
        return self.dma.deliver(txn)


cdef class Saves(Server):
    """Tells completions that all writes of a tile are in DRAM."""

    cdef tuple saves

    cdef int resume(self, Done written) except -1:
        cdef Done save
        for save in self.saves:
            save.arrive()
        return 0


cdef class Dma(Server):
    """Issues transactions in order, at most ``window`` outstanding; a response frees a place.

    Writes and messages are posted: a write leaves the window when the controller acknowledges it, a
    message when it is delivered. A response that comes back to it is a read that has ended.
    """

    def __init__(
        self, env, Network network not None, split, int terminal, int unit, int64_t window,
        socket, traffic not None, rows, Idents idents not None, regions,
    ):
        cdef Delivery delivery = Delivery()
        self.env, self.events, self.network, self._network = env, env.events, network, network
        self.split, self.packet_format = split, network.packet_format
        self.terminal, self.unit, self.window = terminal, unit, window
        self.socket, self.traffic, self.rows, self._idents = socket, traffic, rows, idents
        self.regions = Regions(regions)
        self._interleave, self._channel_count = split.interleave, split.channels
        self._payload, self._burst = split.payload, split.burst
        self._header, self._flit = self.packet_format.header, self.packet_format.flit
        self._packets = deque()
        delivery.dma = self
        self._delivery = delivery

    def connect(self, list channels, list cores):
        """Know every channel (terminal, unit, server) and core (terminal, unit)."""
        self._channels, self._cores = channels, cores
        self._first_channel = channels[0][1]
        self._to_channel, self._to_core = [None] * len(channels), [None] * len(cores)

    @property
    def queue(self):
        """One item for each packet that waits to be sent."""
        return range(self._queued)

    # -- in ---------------------------------------------------------------------------------

    cdef Done fetch(self, tile):
        """Start reading what a tile needs from DRAM; None if it needs nothing."""
        cdef tuple reads = tile.reads
        cdef int64_t pieces = self._count(reads)
        cdef Done done
        if not pieces:
            return None
        done = Done(pieces, "its reads from DRAM")
        self._access(READ, reads, self._transfer(tile, done, ()))
        self._issue()
        return done

    cdef Done hand_over(self, tile, list messages, tuple saves):
        """Start writing a tile's results and posting its messages; None if there are none.

        ``messages`` are (message, completions told when it arrives); ``saves`` are told when the
        writes are in DRAM.
        """
        cdef tuple writes = tile.writes, arrivals
        cdef int64_t pieces = self._count(writes), packets = 0, now = self.events.now
        cdef int phase = tile.phase, layer = tile.layer
        cdef Done save, arrival, output, written
        cdef Saves told
        for save in saves:
            save.post_by(now, phase, layer, self.unit)
        if not pieces:
            for save in saves:
                save.arrive()
            if not messages:
                return None
        for message, _ in messages:
            packets += self._packets_of(message.nbytes)
        output = Done(pieces + packets, "its writes and messages")
        if pieces:
            written = Done(pieces, "its writes to DRAM")
            told = Saves()
            told.saves = saves
            written.wait(told)
            self._access(WRITE, writes, self._transfer(tile, output, (written,)))
        for message, arrivals in messages:
            for arrival in arrivals:
                arrival.post_by(now, phase, layer, self.unit)
            self._post(message, self._transfer(tile, output, arrivals))
        self._issue()
        return output

    cdef Done drained(self):
        """A completion for the moment nothing is queued or in flight; None if that is now."""
        if not self.outstanding:
            return None
        self.idle = Done(1, "its DMA to drain")
        return self.idle

    # -- out --------------------------------------------------------------------------------

    cdef int receive(self, Transaction txn) except -1:
        """The data of a read have come back."""
        return self.answered(txn)

    cdef int answered(self, Transaction txn) except -1:
        """A DRAM channel has moved the bytes of a transaction: count them where they lie."""
        cdef Transfer transfer = txn.job
        cdef int64_t stripe = txn.address // self._interleave
        cdef int64_t offset = txn.address % self._interleave
        cdef int64_t channel = txn.target - self._first_channel
        cdef int64_t address = (stripe * self._channel_count + channel) * self._interleave + offset
        transfer.traffic.move(1 if txn.command else 0, address, txn.nbytes)
        return self.close(txn)

    cdef int deliver(self, Transaction txn) except -1:
        """A message has reached its core."""
        txn.end_req = txn.begin_resp = self.events.now
        self.delivered_bytes += txn.nbytes
        return self.close(txn)

    cdef int close(self, Transaction txn) except -1:
        """A transaction has come to its end: record it, tell who waits, use the free place."""
        cdef Transfer transfer = txn.job
        cdef Done arrival, idle
        if self.rows is not None:
            self._record(txn, transfer)
        self.outstanding -= 1
        if self._queued:
            self._issue()
        for arrival in transfer.arrivals:
            arrival.arrive()
        transfer.done.arrive()
        if self.idle is not None and not self.outstanding:
            idle, self.idle = self.idle, None
            idle.arrive()
        return 0

    cdef int _record(self, Transaction txn, Transfer transfer) except -1:
        cdef RowBuffer rows = self.rows
        cdef TransactionRow* row
        txn.end_resp = self.events.now
        rows.require("id", txn.ident, 0, MAX_UINT32)
        rows.require("target", txn.target, INT16_MIN, INT16_MAX)
        rows.require("layer", transfer.layer, INT16_MIN, INT16_MAX)
        rows.require("sample", transfer.sample, INT16_MIN, INT16_MAX)
        rows.require("step", transfer.step, INT16_MIN, INT16_MAX)
        rows.require("nbytes", txn.nbytes, 0, MAX_UINT32)
        row = <TransactionRow*>rows.add()
        row.ident = txn.ident
        row.begin_req, row.end_req = txn.begin_req, txn.end_req
        row.begin_resp, row.end_resp = txn.begin_resp, txn.end_resp
        row.initiator, row.target = txn.initiator, txn.target
        row.command, row.phase = txn.command, transfer.phase
        row.layer, row.sample, row.step = transfer.layer, transfer.sample, transfer.step
        row.nbytes, row.address = txn.nbytes, txn.address
        return 0

    # -- packets ----------------------------------------------------------------------------

    cdef int64_t _flits(self, int64_t nbytes) noexcept:
        """Flits of a packet with ``nbytes`` of payload: header and payload, rounded up."""
        return (nbytes + self._header + self._flit - 1) // self._flit

    cdef int64_t _packets_of(self, int64_t nbytes) noexcept:
        """Packets of a message; an empty one is one packet, all header."""
        return max(1, (nbytes + self._payload - 1) // self._payload)

    cdef int64_t _count(self, tuple extents) except -1:
        """Packets of some extents: they are cut where a payload boundary is crossed."""
        cdef int64_t count = 0, begin, nbytes
        for begin, nbytes in extents:
            if nbytes > 0:
                count += (begin + nbytes - 1) // self._payload - begin // self._payload + 1
        return count

    cdef Traffic _traffic(self, tile):
        key = (tile.phase, tile.layer)
        traffic = self.traffic.get(key)
        if traffic is None:
            traffic = self.traffic[key] = Traffic(self.regions)
        return traffic

    cdef Transfer _transfer(self, tile, Done done, tuple arrivals):
        cdef Transfer transfer = Transfer()
        transfer.dma, transfer.done, transfer.arrivals = self, done, arrivals
        transfer.phase, transfer.layer = tile.phase, tile.layer
        transfer.sample, transfer.step = tile.sample, tile.step
        transfer.traffic = self._traffic(tile)
        return transfer

    cdef int _access(self, int command, tuple extents, Transfer transfer) except -1:
        """Queue reads or writes and count what they will move, request and response."""
        cdef Traffic traffic = transfer.traffic
        cdef Packets packets
        cdef int64_t begin, nbytes, end, stop, address, flits, head, bursts, hops
        head = self._flits(0) if command == READ else 0
        for begin, nbytes in extents:
            end = begin + nbytes
            if begin >= end:
                continue
            packets = Packets()
            packets.command, packets.transfer = command, transfer
            packets.begin, packets.end = begin, end
            self._packets.append(packets)
            while begin < end:
                stop = self._cut(begin, end)
                nbytes = stop - begin
                address = self._within_channel(begin)
                hops = self._way_to_channel(self._channel_of(begin)).hops
                flits = head + self._flits(nbytes)
                bursts = (address + nbytes - 1) // self._burst - address // self._burst + 1
                self._queued += 1
                traffic.transactions += 1
                traffic.link_flits += flits * hops
                traffic.router_flits += flits * (hops + 1)
                if command == READ:
                    traffic.read_bytes += nbytes
                    traffic.read_bursts += bursts
                else:
                    traffic.write_bytes += nbytes
                    traffic.write_bursts += bursts
                begin = stop
        return 0

    cdef int _post(self, message, Transfer transfer) except -1:
        """Queue the packets of a message and count what they will move."""
        cdef Traffic traffic = transfer.traffic
        cdef Packets packets = Packets()
        cdef int64_t left = message.nbytes, count = self._packets_of(left), size, flits, hops
        packets.command, packets.transfer = message.command, transfer
        packets.way = self._way_to_core(message.core)
        packets.end = left
        hops = packets.way.hops
        self._packets.append(packets)
        self._queued += count
        traffic.transactions += count
        traffic.message_bytes += left
        for _ in range(count):
            size = min(left, self._payload)
            left -= size
            flits = self._flits(size)
            traffic.link_flits += flits * hops
            traffic.router_flits += flits * (hops + 1)
        return 0

    cdef int _issue(self) except -1:
        """Send as many queued packets as the window allows."""
        cdef Packets packets
        while self._queued and self.outstanding < self.window:
            packets = self._packets[0]
            self._send(packets)
            if packets.begin >= packets.end:
                self._packets.popleft()
        return 0

    cdef int64_t _cut(self, int64_t begin, int64_t end) noexcept:
        """Where the packet of an extent ends that begins here: where the next piece begins."""
        return min(end, (begin // self._payload + 1) * self._payload)

    cdef int _send(self, Packets packets) except -1:
        """Send the first of some packets."""
        cdef Way way = packets.way
        cdef int64_t begin = packets.begin, address = 0, stop
        cdef Transaction txn
        if way is None:
            stop = self._cut(begin, packets.end)
            way = self._way_to_channel(self._channel_of(begin))
            address = self._within_channel(begin)
        else:
            stop = min(packets.end, begin + self._payload)
        packets.begin = stop
        txn = new_transaction(
            self._idents.given, packets.command, address, stop - begin, self.unit, packets.transfer
        )
        self._idents.given += 1
        txn.target, txn.begin_req = way.unit, self.events.now
        txn.path, txn.home = way.request, way.response
        txn.flits = self._flits(0 if packets.command == READ else txn.nbytes)
        self._queued -= 1
        self.outstanding += 1
        return self._network.send(txn, self.terminal)

    cdef int64_t _channel_of(self, int64_t address) noexcept:
        """The DRAM channel that has an address."""
        return address // self._interleave % self._channel_count

    cdef int64_t _within_channel(self, int64_t address) noexcept:
        """The address within its channel."""
        cdef int64_t stripe = address // self._interleave
        return stripe // self._channel_count * self._interleave + address % self._interleave

    # -- ways -------------------------------------------------------------------------------

    cdef Way _way_to_channel(self, Py_ssize_t number):
        """The way to a channel and back, laid when it is first used."""
        cdef Way way = self._to_channel[number]
        cdef Server accept
        if way is None:
            way = self._to_channel[number] = Way()
            way.terminal, way.unit, accept = self._channels[number]
            way.request = self._network.path(self.terminal, way.terminal, accept)
            way.response = self._network.path(way.terminal, self.terminal, self)
            way.hops = self.network.hops(self.terminal, way.terminal)
        return way

    cdef Way _way_to_core(self, Py_ssize_t number):
        """The way to a core, laid when it is first used."""
        cdef Way way = self._to_core[number]
        if way is None:
            way = self._to_core[number] = Way()
            way.terminal, way.unit = self._cores[number]
            way.request = self._network.path(self.terminal, way.terminal, self._delivery)
            way.hops = self.network.hops(self.terminal, way.terminal)
        return way


cdef class MemoryPort(Server):
    """A DRAM channel at its mesh terminal: a read's data go back, a write ends where it is."""

    cdef Network network
    cdef int terminal

    def __init__(self, Network network not None, int terminal):
        self.network, self.terminal = network, terminal

    cdef int receive(self, Transaction txn) except -1:
        """Answer a transaction now."""
        cdef Dma dma = (<Transfer>txn.job).dma
        if txn.command:
            return dma.answered(txn)
        txn.flits = dma._flits(txn.nbytes)
        txn.path = txn.home
        return self.network.send(txn, self.terminal)
