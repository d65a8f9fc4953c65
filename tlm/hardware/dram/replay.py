"""Requests of arrays, put through a fresh DRAM channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.policy import DramPolicy
from tlm.kernel import Done, Environment, Transaction, run_until
from tlm.space.array_types import Ints


@dataclass(frozen=True, slots=True)
class Offered:
    """What comes to a channel, in order; ``n`` requests.

    The first of them arrive at ``arrivals`` [ps], each of the others a clock after an answer.
    ``requests`` [n, 2] are commands and byte addresses, ``nbytes`` [n] their sizes.
    """

    requests: Ints
    nbytes: Ints
    arrivals: Ints


@dataclass(frozen=True, slots=True)
class Served:
    """When each request was ``accepted`` and ``answered`` [ps], and the channel at its end."""

    accepted: Ints
    answered: Ints
    time_ps: int
    events: int
    counters: DramCounters


def replay(timing: DramTiming, policy: DramPolicy, offered: Offered) -> Served:
    """Run requests through a channel of SimPy's model until the last is answered."""
    env = Environment()
    requests = zip(offered.requests.tolist(), offered.nbytes.tolist(), strict=True)
    transactions = [
        Transaction(index, command, address, nbytes, 0, None)
        for index, ((command, address), nbytes) in enumerate(requests)
    ]
    done = Done(len(transactions), "DRAM driver")
    source = iter(transactions)

    def arrive(transaction: Transaction, delay_ps: int) -> None:
        transaction.callbacks = channel.callbacks
        env.schedule(transaction, delay=delay_ps)

    def answered(transaction: Transaction) -> None:
        following = next(source, None)
        if following is not None:
            arrive(following, timing.tck_ps)
        done.arrive()

    channel = DramChannel(env, timing, answered, policy)
    for arrival in offered.arrivals.tolist():
        arrive(next(source), arrival)
    events = run_until(env, done)
    channel.settle()
    return Served(
        accepted=np.array([t.end_req for t in transactions], np.int64),
        answered=np.array([t.begin_resp for t in transactions], np.int64),
        time_ps=env.now,
        events=events,
        counters=channel.counters,
    )
