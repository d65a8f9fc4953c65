"""Drives one DRAM channel with a pattern and a load, and measures bandwidth and latency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from tlm.config.tables.dram_timing import DramTiming
from tlm.errors import ConfigError
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.patterns import DramRequest
from tlm.hardware.dram.policy import DramPolicy
from tlm.kernel import Done, Environment, Transaction, run_until

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
    by one clock; a write leaves the window when it is answered.
    """

    interval_clk: Fraction = Fraction(0)
    window: int = 0

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
    requests: Sequence[DramRequest],
    load: DramLoad,
    policy: DramPolicy | None = None,
    nbytes: int | Sequence[int] = 0,
    clocks: Sequence[int] = (),
) -> DramMeasurement:
    """Run ``requests`` of ``nbytes`` each (one burst by default) through a fresh channel.

    ``clocks`` gives the arrival of each; without them ``load`` does.
    """
    env = Environment()
    if isinstance(nbytes, int):
        nbytes = [nbytes or timing.burst_bytes] * len(requests)
    transactions = [
        Transaction(i, command, address, size, 0, None)
        for i, ((command, address), size) in enumerate(zip(requests, nbytes, strict=True))
    ]
    done = Done(len(transactions), "DRAM driver")
    source = iter(transactions)

    def answered(transaction: Transaction) -> None:
        if load.window:
            for following in islice(source, 1):
                following.callbacks = channel.callbacks
                following.begin_req = env.now + timing.tck_ps
                env.schedule(following, delay=timing.tck_ps)
        done.arrive()

    channel = DramChannel(env, timing, answered, policy)
    first = islice(source, load.window) if load.window else source
    for transaction in first:
        offered_clk = transaction.ident // OFFERED_PER_CLOCK
        clock = max(offered_clk, int(transaction.ident * load.interval_clk))
        arrival = (clocks[transaction.ident] if clocks else clock) * timing.tck_ps
        if arrival > LATEST_PS:
            raise ConfigError(
                f"DRAM requests: request {transaction.ident + 1} comes at {arrival} ps; times end "
                f"at 2^62 ps (53 days): use fewer requests, or smaller clocks or intervals"
            )
        transaction.callbacks = channel.callbacks
        transaction.begin_req = arrival
        env.schedule(transaction, delay=arrival)
    events = run_until(env, done)
    channel.settle()
    policy = policy or DramPolicy()
    tenth = sum(nbytes[: len(nbytes) // 10]) // timing.burst_bytes
    fills_queues = tenth >= policy.read_queue + policy.write_queue
    steady_gb_s = _steady_gb_s(transactions)
    latencies = [t.begin_resp - t.end_req for t in transactions if not t.command]
    counters = channel.counters
    # The data of a last write follow its command.
    end_ps = env.now + timing.tck_ps * timing.cwl_clk + counters.burst_ps
    return DramMeasurement(
        is_steady=fills_queues and steady_gb_s <= 1000 * timing.peak_bytes_per_ps,
        steady_gb_s=steady_gb_s,
        total_gb_s=1000 * sum(counters.nbytes) / (end_ps if counters.writes else env.now),
        read_latency_ns=sum(latencies) / len(latencies) / 1000 if latencies else None,
        read_latency_min_ns=min(latencies) / 1000 if latencies else None,
        time_ps=env.now,
        events=events,
        counters=counters,
    )


def _steady_gb_s(transactions: Sequence[Transaction]) -> float:
    n = len(transactions)
    first, last = transactions[n // 10], transactions[n * 9 // 10]
    window_ps = last.end_req - first.end_req
    nbytes = sum(t.nbytes for t in transactions[n // 10 : n * 9 // 10])
    return 1000 * nbytes / window_ps if window_ps else 0.0
