"""The replay's DRAM channels: ``ideal``, and a ``controller`` in outline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tlm.config.fabric import Dram
from tlm.config.tables.dram_timing import DramTiming
from tlm_analysis.replay.packet import READ, WRITE, ReplayPacket

At = Callable[..., None]  # (time in ps, what to call, its arguments)
Answer = Callable[[ReplayPacket], None]


class IdealChannel:
    """In order of arrival, at peak bandwidth, each answer a fixed latency later."""

    def __init__(self, dram: Dram, timing: DramTiming, at: At, answer: Answer) -> None:
        self._latency_ps = dram.latency
        self._bytes_per_ns = timing.peak_bytes_per_ps * 1000
        self._at = at
        self._answer = answer
        self._free_ps = 0

    def accept(self, packet: ReplayPacket, now: int) -> None:
        """Take a packet that has just arrived."""
        held_ps = int(-(-packet.nbytes * 1000 // self._bytes_per_ns))
        self._free_ps = max(now, self._free_ps) + held_ps
        self._at(self._free_ps + self._latency_ps, self._answer, packet)


@dataclass(slots=True, eq=False)
class _Bank:
    """An open row, when it may be used, and when another may be opened in its place (ps)."""

    row: int = -1
    ready: int = 0
    usable: int = 0


@dataclass(slots=True)
class _Entry:
    packet: ReplayPacket
    bank: _Bank
    row: int


class ControlledChannel:
    """Reads first, writes drained by the watermarks, open rows first, turn-arounds paid.

    The queues count bursts as the run's controller does, and what finds no room waits in front of
    both in order of arrival. Serving a transaction of n bursts takes n burst times, stretched by
    the share of time that refresh takes.
    """

    def __init__(self, dram: Dram, timing: DramTiming, at: At, answer: Answer) -> None:
        self._room = (dram.read_queue, dram.write_queue)
        self._high, self._low = dram.write_high, dram.write_low
        self._times(timing)
        self._page_bytes = timing.page_bytes
        self._banks = [_Bank() for _ in range(timing.banks)]
        self._at = at
        self._answer = answer
        self._front: deque[_Entry] = deque()
        self._queues: tuple[list[_Entry], list[_Entry]] = ([], [])
        self._bursts = [0, 0]
        self._mode = self._last = READ
        self._busy = False

    def _times(self, timing: DramTiming) -> None:
        """Delays in ps, pairs by command; formulas as in ``tlm.hardware.dram.delays``."""
        clock, burst = timing.tck_ps, timing.burst_clk
        write_end = timing.cwl_clk + timing.wr_extra_clk + burst
        refresh = timing.trfc_clk / timing.trefi_clk
        self._burst_ps = max(burst, timing.tccd_s_clk) * clock / (1 - refresh)
        self._open_ps = (timing.trp_clk + timing.trcd_clk) * clock
        turns = (timing.trtw_clk, write_end + timing.twtr_s_clk)
        self._turn_ps = tuple((turn - burst) * clock for turn in turns)
        self._answer_ps = ((timing.cl_clk + timing.dqsck_clk) * clock, 0)
        self._recover_ps = (timing.trtp_clk * clock, (write_end + timing.twr_clk) * clock)

    def accept(self, packet: ReplayPacket, now: int) -> None:
        """Take a packet that has just arrived."""
        row, bank = divmod(packet.address // self._page_bytes, len(self._banks))
        self._front.append(_Entry(packet, self._banks[bank], row))
        self._admit()
        if self._busy:
            self._open_rows(now)
        else:
            self._serve(now)

    def _admit(self) -> None:
        """Let in who waits in front, as far as there is room."""
        while self._front:
            packet = self._front[0].packet
            held = self._bursts[packet.kind]
            if held and held + packet.bursts > self._room[packet.kind]:
                return
            self._queues[packet.kind].append(self._front.popleft())
            self._bursts[packet.kind] = held + packet.bursts

    def _open_rows(self, now: int) -> None:
        """In every bank that no waiting transaction hits, open the row the oldest one wants."""
        queue = self._queues[self._mode]
        kept = {id(entry.bank) for entry in queue if entry.bank.row == entry.row}
        for entry in queue:
            bank = entry.bank
            if id(bank) not in kept:
                kept.add(id(bank))
                bank.row = entry.row
                bank.ready = max(now, bank.usable) + self._open_ps

    def _choose_mode(self) -> None:
        reads, writes = self._bursts
        if self._mode == READ and writes and (not reads or writes >= self._high):
            self._mode = WRITE
        elif self._mode == WRITE and (not writes or (reads and writes <= self._low)):
            self._mode = READ

    def _serve(self, now: int) -> None:
        """Serve the transaction whose row is ready first, the oldest of equals, if one waits."""
        self._choose_mode()
        queue = self._queues[self._mode]
        self._busy = bool(queue)
        if not queue:
            return
        self._open_rows(now)
        hits = [entry for entry in queue if entry.bank.row == entry.row]
        chosen = min(hits, key=lambda entry: max(now, entry.bank.ready))
        queue.remove(chosen)
        turn_ps = self._turn_ps[self._last] if self._last != self._mode else 0
        self._last = self._mode
        begin = max(now + turn_ps, chosen.bank.ready)
        end = begin + round(chosen.packet.bursts * self._burst_ps)
        chosen.bank.usable = max(chosen.bank.usable, end + self._recover_ps[self._mode])
        self._at(end, self._served, chosen.packet, end)

    def _served(self, packet: ReplayPacket, now: int) -> None:
        self._bursts[packet.kind] -= packet.bursts
        self._at(now + self._answer_ps[packet.kind], self._answer, packet)
        self._admit()
        self._serve(now)
