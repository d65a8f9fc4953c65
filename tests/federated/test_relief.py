"""What workers did when adds up to the rows; the first relief is of what held the run up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.federated.systems import MS, iteration, prepared
from tlm.federated.course import Doing
from tlm.federated.exchange import exchange
from tlm.federated.relief import ReliefGain, relief_gains
from tlm.federated.repeat import RecordedFederation
from tlm.running.interrupts import StopRequest

TIMES = {
    Doing.TRAIN: "iterating_ps",
    Doing.ADD: "adding_ps",
    Doing.NETWORK: "network_ps",
    Doing.WAIT: "waiting_ps",
}


def gains(plan: dict[str, object]) -> list[ReliefGain]:
    """Reliefs of a system of three workers, the most gaining first."""
    federation, iterations = prepared(plan), (iteration(100_000),)
    summary = exchange(federation, iterations, StopRequest()).summary
    return relief_gains(RecordedFederation(summary, federation, iterations))


@given(
    st.sampled_from(["fedavg", "data-parallel"]),
    st.sampled_from(["star", "ring", "tree"]),
    st.booleans(),
    st.integers(1, 6),
)
@settings(deadline=None, max_examples=25)
def test_intervals_tile_the_run_and_are_the_times_of_the_rows(
    protocol: str, topology: str, overlap: bool, workers: int
) -> None:
    """Of every worker, from the begin to the end, and by what it did in each round."""
    network = {"topology": topology, "packet": "64 KiB"}
    plan = {"protocol": protocol, "overlap": overlap, "workers": workers, "network": network}
    result = exchange(prepared(plan), [iteration(100_000)], StopRequest())
    sums: Counter[tuple[int, int, Doing]] = Counter()
    ends = dict.fromkeys(range(workers), 0)
    for part in result.course.intervals:
        assert ends[part.worker] == part.begin_ps < part.end_ps
        ends[part.worker] = part.end_ps
        sums[part.worker, part.round, part.doing] += part.end_ps - part.begin_ps
    assert set(ends.values()) == {result.summary.time_ps}
    for row in result.summary.workers:
        for doing, name in TIMES.items():
            assert sums[row.worker, row.round, doing] == getattr(row, name)


@pytest.mark.parametrize(
    ("plan", "best"),
    [
        ({"slow": {"worker1": 50.0}}, "worker1 not slowed"),
        ({"links": {"worker2": {"bandwidth": "1 Mbit/s"}}}, "links of worker2 as those of others"),
        ({"local": 400}, "all chips twice as fast"),
        ({"network": {"bandwidth": "10 Mbit/s"}}, "links of twice the bandwidth"),
        ({"network": {"latency": "1 s"}}, "half the latency"),
        ({"server": {"adds_per_s": 1e5}}, "a server twice as fast"),
    ],
)
def test_the_first_relief_is_of_what_held_the_run_up(plan: dict[str, object], best: str) -> None:
    """A slow chip, a slow link, all chips, bandwidth, latency, the server."""
    first = gains(plan)[0]
    assert first.name == best and first.time_saved > 0.2


def test_chips_that_are_all_there_is_halve_the_time() -> None:
    """On an ideal network, the energy of half their leakage as well."""
    plan = {"network": {"bandwidth": "unlimited", "latency": "0 s"}, "server": {"adds_per_s": 1e18}}
    first = gains(plan)[0]
    assert first.name == "all chips twice as fast"
    assert first.time_saved == pytest.approx(0.5, abs=1e-6)
    assert iteration(100_000).makespan_ps == MS
