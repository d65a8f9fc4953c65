"""Who held a round up, and what sets that worker apart: nothing that others have as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.federated.systems import MS, iteration, prepared, simulated
from tlm.cli.federated_screen import reasons
from tlm.federated.exchange import exchange
from tlm.federated.results import FederatedSummary
from tlm.running.interrupts import StopRequest


def said(summary: FederatedSummary) -> str:
    """All reasons on one line."""
    return " ".join(reasons(summary))


def two_kinds(makespans_ps: Sequence[int]) -> FederatedSummary:
    """Three workers with the same data; the last is on another kind of chip."""
    federation = prepared({"rounds": 2})
    federation = replace(federation, places=((0, 0), (0, 0), (1, 1)), tasks=2 * federation.tasks)
    kinds = [
        replace(iteration(100_000, time_ps), chip=name)
        for name, time_ps in zip(("quick", "slow"), makespans_ps, strict=True)
    ]
    return exchange(federation, kinds, StopRequest()).summary


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"network": {"topology": "tree"}}, "it is 2 links away from worker0, the others 1 in"),
        ({"network": {"topology": "ring", "loss": 0.01}}, "links away from worker0, the others 1"),
    ],
)
def test_who_is_farther_away_is_said_to_be(plan: Mapping[str, object], says: str) -> None:
    """In a tree and in a ring, with and without losses: not chance held the others up."""
    counts = (4,) * (4 if "tree" in str(plan) else 5)
    text = said(simulated(plan, counts=counts))
    assert says in text and "chance" not in text


def test_packets_that_got_lost_are_named_where_more_of_them_did() -> None:
    """In a star all are equally far; without losses nobody is said to have any."""
    lossy = said(simulated({"network": {"loss": 0.2}}))
    assert "of its packets got lost, by chance, and were sent again" in lossy
    assert "links away" not in lossy and "lost" not in said(simulated({}))


def test_a_slower_kind_of_chip_is_named() -> None:
    """It has as much data as the others; a kind that is as fast is no reason."""
    text = said(two_kinds([MS, 5 * MS]))
    assert "worker2 held up rounds 1, 2" in text
    assert "its chip is slow, on which an iteration takes 5 ms, and 1 ms on other chips" in text
    assert "other chips" not in said(two_kinds([MS, MS]))


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((4, 4, 40), "it has the most data, 40 iterations in round 1"),
        ((4, 4, 40, 40, 4), "nobody has more data, 40 iterations in round 1"),
    ],
)
def test_most_data_has_one_alone(counts: Sequence[int], says: str) -> None:
    """Of equals none has the most."""
    assert says in said(simulated({}, counts=counts))
