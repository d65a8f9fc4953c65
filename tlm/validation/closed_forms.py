"""Figures that follow from a device's timings alone, beside those that our channel gives.

The formulas are written out from the parameters of the device file, apart from those that the
controller combines (``tlm.hardware.dram.delays``), and need no simulator: they hold for devices
that no table of reference curves covers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.compiled.driver import dram_replay
from tlm.config.tables.dram_timing import DramTiming, dram_devices, load_dram_timing
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PatternGeometry, requests

READ, WRITE = 0, 1
MANY = 12000  # requests of a bandwidth
WARM = 400  # clocks between two reads that have nothing to do with each other


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A figure that follows from the timings alone."""

    device: str
    what: str
    expected: float
    ours: float
    unit: str

    @property
    def error(self) -> float:
        """Relative error."""
        return self.ours / self.expected - 1


def closed_forms() -> Iterator[ClosedForm]:
    """Latencies and bounds of every device that ships."""
    for device in dram_devices():
        timing = load_dram_timing(device)
        yield from _latencies(timing)
        yield from _bounds(timing)


def _latencies(t: DramTiming) -> Iterator[ClosedForm]:
    """Reads of an idle channel: from acceptance to the last data beat."""
    clk = t.tck_ps / 1000
    hit = t.column_clk - 1 + t.cl_clk + t.dqsck_clk + t.burst_clk
    closed = (t.activate_clk - t.column_clk) + t.trcd_clk + hit
    edge = t.activate_edge_clk or t.activate_clk
    conflict = t.trp_clk + t.precharge_clk - edge + closed
    turn = t.cwl_clk + t.wr_extra_clk + t.burst_clk + t.twtr_l_clk
    opened, written = (READ, 0, 0), (WRITE, 0, WARM)
    other = AddressMap(t).same_bank_bytes
    for what, expected, timed in (
        ("read, row open", hit + t.strobe_start_clk, [opened, (READ, 0, WARM)]),
        ("read, bank closed", closed, [opened]),
        ("read, other row open", conflict, [opened, (READ, other, WARM)]),
        (
            "read, a clock after a write: tWTR",
            t.strobe_start_clk + turn - 1 + hit,
            [opened, written, (READ, 0, WARM + 1)],
        ),
    ):
        yield ClosedForm(t.name, what, expected * clk, _last_latency(t, timed), "ns")


def _bounds(t: DramTiming) -> Iterator[ClosedForm]:
    """Bandwidths that one timing bounds, less the time of refreshes."""
    clk, burst = t.tck_ps / 1000, t.burst_bytes
    awake = 1 - t.trfc_clk / t.trefi_clk
    peak = t.peak_bytes_per_ps * 1000
    yield _bound(t, "conflicts of one bank: tRC", "conf_1bank", burst / (_cycle(t) * clk) * awake)
    window = max(t.tfaw_clk / 4, t.trrd_s_clk, t.burst_clk, t.tccd_s_clk)
    if window > t.burst_clk and window * t.banks > 1.5 * t.trc_clk:  # banks do not run out before
        yield _bound(t, "random reads: activates", "rand_rd", burst / (window * clk) * awake)
    if t.address_map.split()[-1] == "bankgroup" or t.tccd_l_clk <= t.burst_clk:
        yield _bound(t, "stream: data bus", "seq_rd", peak * awake)


def _cycle(t: DramTiming) -> int:
    """Clocks from an activate of a bank to its next, with a read between."""
    edge = t.activate_edge_clk or t.activate_clk
    to_read = t.trcd_clk + t.activate_clk - t.column_clk
    to_close = t.trtp_clk + t.column_clk - t.precharge_clk
    to_open = t.trp_clk + t.precharge_clk - edge
    kept = t.tras_clk + edge - t.precharge_clk
    return max(t.trc_clk, to_read + to_close + to_open, kept + to_open)


def _bound(t: DramTiming, what: str, pattern: str, expected: float) -> ClosedForm:
    amap = AddressMap(t)
    geometry = PatternGeometry(t.burst_bytes, amap.page_step_bytes, amap.same_bank_bytes)
    measured = drive(t, requests(pattern, MANY, geometry), DramLoad(), replay=dram_replay())
    return ClosedForm(t.name, what, expected, measured.steady_gb_s, "GB/s")


def _last_latency(t: DramTiming, timed: list[tuple[int, int, int]]) -> float:
    """Latency in ns of the last of some (command, address, clock): sums differ by that read's."""

    def total(count: int) -> float:
        offered = [(command, address) for command, address, _ in timed[:count]]
        load = DramLoad(clocks=tuple(clock for _, _, clock in timed[:count]))
        measured = drive(t, offered, load, replay=dram_replay())
        return (measured.read_latency_ns or 0.0) * sum(command == READ for command, _ in offered)

    return total(len(timed)) - (total(len(timed) - 1) if len(timed) > 1 else 0.0)
