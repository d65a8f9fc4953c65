"""Drives one DRAM channel with a pattern and a load, and measures bandwidth and latency."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import numpy as np

from tlm.config.tables.dram_timing import DramTiming
from tlm.errors import ConfigError
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.patterns import DramRequest
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.replay import Offered, Served, replay
from tlm.space.array_types import Ints

DramReplay = Callable[[DramTiming, DramPolicy, Offered], Served]

LATEST_PS = 1 << 62  # as far as a time and a sum of times fit 64 bits
OFFERED_PER_CLOCK = 2  # most requests that a source offers per clock


@dataclass(frozen=True, slots=True)
class DramMeasurement:
    """One run of ``drive``: bandwidths in GB/s (1e9 B), latencies in ns.

    ``steady_gb_s`` is the bytes of the requests from 10 % to 90 % over the time between their
    acceptances. It says nothing unless ``is_steady``: the queues take in what they hold at once, so
    that the first tenth has to fill them. ``total_gb_s`` is what was moved over the whole run. Read
    latency is from acceptance to last data beat; None without reads.
    """

    is_steady: bool
    steady_gb_s: float
    total_gb_s: float
    read_latency_ns: float | None
    read_latency_min_ns: float | None
    time_ps: int
    events: int
    counters: DramCounters


@dataclass(frozen=True, slots=True)
class DramLoad:
    """How requests are offered: as soon as accepted, at fixed intervals, or in a closed loop.

    ``interval_clk`` is the time between two arrivals in clocks, ``window`` the number
    outstanding; both 0 for a saturating source. In a closed loop the next request follows an answer
    by one clock; a write leaves the window when it is answered. ``clocks``, if there are any, are
    the arrivals of all requests.
    """

    interval_clk: Fraction = Fraction(0)
    window: int = 0
    clocks: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> DramLoad:
        """Read ``sat``, ``int:8`` (clocks) or ``win:16`` (outstanding requests).

        Raises:
            ConfigError: none of these, or not above zero.
        """
        if text == "sat":
            return cls()
        match = re.fullmatch(r"(int|win):(\d{1,12}(?:\.\d{1,12})?)", text)
        if match is None or not Fraction(match[2]) or (match[1] == "win" and "." in match[2]):
            raise ConfigError(
                f"DRAM load {text!r}: expected sat, int:CLOCKS or win:REQUESTS, a number above "
                "zero and below 10^12, such as int:2.5 or win:8"
            )
        if match[1] == "int":
            return cls(interval_clk=Fraction(match[2]))
        return cls(window=int(match[2]))


def drive(
    timing: DramTiming,
    requests: Sequence[DramRequest] | Ints,
    load: DramLoad,
    policy: DramPolicy | None = None,
    nbytes: int | Sequence[int] = 0,
    replay: DramReplay = replay,
) -> DramMeasurement:
    """Run ``requests`` of ``nbytes`` each (one burst by default) through a fresh channel.

    ``requests`` are pairs, or an array [n, 2] of commands and byte addresses.
    ``replay`` is the kernel that they are run on.

    Raises:
        ConfigError: a request arrives later than times reach.
    """
    policy = policy or DramPolicy()
    count = len(requests)
    if not isinstance(requests, np.ndarray):
        requests = np.fromiter(chain.from_iterable(requests), np.int64, 2 * count)
    sizes = nbytes if not isinstance(nbytes, int) else np.full(count, nbytes or timing.burst_bytes)
    offered = Offered(
        requests=requests.reshape(count, 2),
        nbytes=np.asarray(sizes, np.int64),
        arrivals=_arrivals(timing, count, load),
    )
    return _measurement(timing, policy, offered, replay(timing, policy, offered))


def _arrivals(timing: DramTiming, count: int, load: DramLoad) -> Ints:
    """The times in ps at which requests come by themselves."""
    first = min(count, load.window or count)
    interval = load.interval_clk
    fits = max(1, interval.numerator) * count * timing.tck_ps <= LATEST_PS
    # Python's own integers where 64 bits could overflow.
    clock = np.arange(first, dtype=np.int64 if fits else object)
    clock = np.maximum(
        clock // OFFERED_PER_CLOCK, clock * interval.numerator // interval.denominator
    )
    if load.clocks:
        clock = np.array(load.clocks[:first], object)
    arrivals = clock * timing.tck_ps
    late = np.flatnonzero(arrivals > LATEST_PS)
    if late.size:
        raise ConfigError(
            f"DRAM requests: request {late[0] + 1} comes at {arrivals[late[0]]} ps; times end "
            f"at 2^62 ps (53 days): use fewer requests, or smaller clocks or intervals"
        )
    return arrivals.astype(np.int64)


def _measurement(
    timing: DramTiming, policy: DramPolicy, offered: Offered, served: Served
) -> DramMeasurement:
    n, nbytes, counters = len(offered.nbytes), offered.nbytes, served.counters
    first, last = n // 10, n * 9 // 10
    fills_queues = int(nbytes[:first].sum()) // timing.burst_bytes >= (
        policy.read_queue + policy.write_queue
    )
    window_ps = int(served.accepted[last] - served.accepted[first])
    steady_gb_s = 1000 * int(nbytes[first:last].sum()) / window_ps if window_ps else 0.0
    reads = offered.requests[:, 0] == 0
    latencies = (served.answered - served.accepted)[reads]
    # The data of a last write follow its command.
    write_ps = timing.tck_ps * timing.cwl_clk + counters.burst_ps if counters.writes else 0
    return DramMeasurement(
        is_steady=fills_queues and steady_gb_s <= 1000 * timing.peak_bytes_per_ps,
        steady_gb_s=steady_gb_s,
        total_gb_s=1000 * sum(counters.nbytes) / (served.time_ps + write_ps),
        read_latency_ns=int(latencies.sum()) / latencies.size / 1000 if latencies.size else None,
        read_latency_min_ns=int(latencies.min()) / 1000 if latencies.size else None,
        time_ps=served.time_ps,
        events=served.events,
        counters=counters,
    )
