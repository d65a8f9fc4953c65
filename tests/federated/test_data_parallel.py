"""Data-parallel training: gradients are summed in every iteration, all of them, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.federated.systems import IDEAL, MS, iteration, prepared, rows, simulated, took
from tlm.federated.exchange import exchange
from tlm.running.interrupts import StopRequest

PLAN = {"protocol": "data-parallel"}


def network(topology: str, **keys: object) -> dict[str, object]:
    return {"topology": topology, **keys}


@pytest.mark.parametrize("topology", ["star", "ring", "tree"])
def test_one_worker_alone_is_its_chip(topology: str) -> None:
    """With nobody to exchange with, but for a server that is there and costs no time."""
    plan = PLAN | {"workers": 1, "network": network(topology, **IDEAL)}
    summary = simulated(plan | {"server": {"adds_per_s": "unlimited"}})
    assert summary.time_ps == 3 * 4 * MS
    sent = sum(row.network_pj for row in summary.workers)
    assert summary.energy_pj - sent == pytest.approx(12 * (3e8 + 2.0 * MS))


@given(st.integers(2, 9), st.sampled_from(["ring", "tree", "star"]), st.booleans())
@settings(deadline=None, max_examples=25)
def test_overlap_never_costs_time(workers: int, topology: str, fp16: bool) -> None:
    """Sums of layers that are ready hide behind the gradients of the others."""
    plan = PLAN | {
        "workers": workers,
        "network": network(topology, bandwidth="10 Gbit/s", latency="1 us"),
        "rounds": 1,
        "variant": {"compression": "fp16" if fp16 else "none"},
    }
    apart = simulated(plan, 40_000)
    together = simulated(plan | {"overlap": True}, 40_000)
    assert 4 * MS <= took(together) <= took(apart)
    hidden = sum(row.network_ps for row in together.workers)
    assert hidden < sum(row.network_ps for row in apart.workers)
    nbytes = [
        sum(r.upload_nbytes + r.download_nbytes for r in s.workers) for s in (apart, together)
    ]
    assert nbytes[0] == nbytes[1]


def test_an_early_sum_hides_all_of_its_time() -> None:
    """10,000 of 40,000 numbers, 32 us each way, are ready 0.4 ms before the others."""
    plan = PLAN | {"rounds": 1, "server": {"adds_per_s": "unlimited"}}
    plan |= {"network": network("star", bandwidth="10 Gbit/s")}
    apart, together = (simulated(plan | {"overlap": some}, 40_000) for some in (False, True))
    assert took(apart) - took(together) == 4 * 2 * 32 * MS // 1000


def test_a_straggler_is_waited_for_in_every_iteration() -> None:
    """The others wait from their last gradient to its own: 0.8 of an iteration, and at the end."""
    summary = simulated(PLAN | {"slow": {"worker2": 2.0}, "network": network("ring", **IDEAL)})
    fast, slow = rows(summary, 1)[0], rows(summary, 1)[2]
    assert slow.iterating_ps == 8 * MS and slow.waiting_ps <= 10
    assert fast.iterating_ps == 4 * MS and fast.waiting_ps == pytest.approx(4 * MS, abs=100)
    assert summary.hold_ups[0].worker == 2 and summary.hold_ups[0].cause == "training"


def test_all_do_as_many_iterations_as_the_one_with_the_fewest() -> None:
    """Every sum needs everybody."""
    summary = simulated(PLAN, counts=(2, 5, 9))
    assert {row.iterations for row in summary.workers} == {2}


@pytest.mark.parametrize(("topology", "copies"), [("star", 10), ("ring", 8), ("tree", 8)])
def test_every_gradient_is_added_once(topology: str, copies: int) -> None:
    """N - 1 additions of every number, N at a server; the bytes of as many copies."""
    summary = simulated(PLAN | {"workers": 5, "network": network(topology)})
    own = rows(summary, 1)
    adds = sum(row.adding_pj for row in own) / 0.5
    assert adds == (0 if topology == "star" else 4 * 4 * 100_000)
    nbytes = sum(row.upload_nbytes + row.download_nbytes for row in own)
    assert nbytes == 4 * copies * 400_000


@pytest.mark.parametrize("slowness", [1.0, 3.0])
def test_additions_take_their_time(slowness: float) -> None:
    """In a ring of four, three shares of a quarter a worker; at worker 0 of a star all but its own.

    An addition takes a nanosecond, longer on chips that are slower.
    """
    slow = {f"worker{number}": slowness for number in range(4)}
    plan = PLAN | {"workers": 4, "rounds": 1, "local": 1, "slow": slow, "aggregator": "worker0"}
    for topology, adds in (("ring", 75_000), ("star", 300_000)):
        asked = plan | {"network": network(topology, **IDEAL)}
        if topology == "ring":
            del asked["aggregator"]
        each = replace(iteration(100_000), adds_per_s=1e9)
        summary = exchange(prepared(asked), [each], StopRequest()).summary
        assert summary.ok and took(summary) == slowness * (MS + 1000 * adds)


def test_losses_only_delay() -> None:
    """A ring that loses a tenth of its packets ends, later."""
    plan = PLAN | {"workers": 4, "network": network("ring"), "rounds": 1}
    lossy = PLAN | {"workers": 4, "network": network("ring", loss=0.1), "rounds": 1}
    assert took(simulated(lossy)) > took(simulated(plan))


@given(
    st.integers(1, 7),
    st.sampled_from(["star", "ring", "tree"]),
    st.sampled_from(["unlimited", "100 Mbit/s", "20 Gbit/s"]),
    st.sampled_from(["0 s", "1 us", "40 ms"]),
    st.sampled_from([1.0, 1.37, 20.0]),
    st.sampled_from([{}, {"bandwidth": "1 Mbit/s"}, {"latency": "5 us"}, {"latency": "70 ms"}]),
)
@settings(deadline=None, max_examples=80)
def test_every_all_reduce_ends_and_keeps_the_laws(
    workers: int, topology: str, bandwidth: str, latency: str, slow: float, link: dict[str, str]
) -> None:
    """Stragglers, and links that are better or worse than the others, wherever they are."""
    for number in {0, workers - 1}:
        plan = PLAN | {
            "workers": workers,
            "network": network(topology, bandwidth=bandwidth, latency=latency, packet="9 kB"),
            "slow": {f"worker{number}": slow},
            "links": {f"worker{workers // 2}": link},
            "rounds": 1,
        }
        assert simulated(plan, 20_000).time_ps > 0
