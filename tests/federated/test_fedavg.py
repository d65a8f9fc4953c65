"""FedAvg: rounds with stragglers, slow links, drop-outs, a deadline, and uploads that overlap."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.federated.systems import IDEAL, MS, NO_ADDING, rows, simulated, took

PARAMETERS = 100_000
MODEL_PS = 32 * PARAMETERS * 1000  # FP32 at 1 Gbit/s
LATENCY_PS = 10**8
TRANSFER_PS = MODEL_PS + LATENCY_PS


def test_one_worker_on_an_ideal_network_is_the_chip_alone() -> None:
    """Time and energy are exactly those of its iterations; nothing waits, nothing is sent free."""
    plan = {"workers": 1, "network": IDEAL | {"bit_energy": "0 pJ"}, "server": NO_ADDING}
    summary = simulated(plan)
    assert summary.time_ps == 3 * 4 * MS
    assert summary.energy_pj == pytest.approx(3 * 4 * (3e8 + 2.0 * MS), rel=1e-12)
    assert {row.waiting_ps + row.network_ps for row in summary.workers} == {0}
    assert not summary.hold_ups


def test_a_round_is_download_training_upload_and_the_mean() -> None:
    """To the picosecond, with a server of 10 G additions a second."""
    summary = simulated({"server": {"adds_per_s": 1e10}})
    adding_ps = 3 * PARAMETERS * 100
    assert took(summary, 2) == 2 * TRANSFER_PS + 4 * MS + adding_ps
    for row in rows(summary, 2):
        assert row.network_ps == 2 * TRANSFER_PS and row.waiting_ps == adding_ps
        assert row.idle_pj == pytest.approx(2.0 * (row.network_ps + row.waiting_ps))
        assert row.network_pj == pytest.approx(2 * 32 * PARAMETERS * 1000)


def test_a_straggler_is_waited_for_and_named() -> None:
    """Twice as slow: it trains twice as long, leaks for longer, and the others wait."""
    summary = simulated({"slow": {"worker1": 2.0}, "server": NO_ADDING})
    plain = simulated({"server": NO_ADDING})
    assert summary.time_ps - plain.time_ps == 3 * 4 * MS
    slow, other = rows(summary, 1)[1], rows(summary, 1)[0]
    assert slow.iterating_ps == 2 * other.iterating_ps and other.waiting_ps == 4 * MS
    assert slow.training_pj - other.training_pj == pytest.approx(4 * 2.0 * MS)
    assert {(item.worker, item.cause, item.excess_ps) for item in summary.hold_ups} == {
        (1, "training", 4 * MS)
    }


def test_a_slow_link_is_waited_for_and_named() -> None:
    """A tenth of the bandwidth: ten times the bits' time, both ways."""
    summary = simulated({"links": {"worker2": {"bandwidth": "100 Mbit/s"}}, "server": NO_ADDING})
    assert took(summary) == 2 * (10 * MODEL_PS + LATENCY_PS) + 4 * MS
    assert {(item.worker, item.cause) for item in summary.hold_ups} == {(2, "network")}
    assert rows(summary, 1)[0].waiting_ps == 18 * MODEL_PS


def test_more_data_are_waited_for() -> None:
    """A worker with more local iterations than the others, and its weight in the mean."""
    summary = simulated({"server": NO_ADDING}, counts=(2, 3, 9))
    assert took(summary) == 2 * TRANSFER_PS + 9 * MS
    assert summary.hold_ups[0].worker == 2 and summary.hold_ups[0].cause == "training"
    assert summary.rounds[0].answered == (0, 1, 2)


@pytest.mark.parametrize("at", [0.25, 1.0])
@pytest.mark.parametrize("overlap", [False, True])
def test_a_worker_that_goes_away_is_waited_for_until_the_deadline(at: float, overlap: bool) -> None:
    """The round ends by the deadline without it; it is back in the next round."""
    plan = {
        "drop": {"worker1": {"round": 2, "at": at}},
        "deadline": "30 ms",
        "overlap": overlap,
        "server": NO_ADDING,
    }
    summary = simulated(plan)
    assert took(summary, 2) == 30 * MS > took(summary, 1) == took(summary, 3)
    gone = rows(summary, 2)[1]
    assert gone.dropped and not gone.late and gone.trained == at
    assert gone.iterating_ps == round(4 * MS * at) and gone.network_ps == TRANSFER_PS
    assert overlap or (gone.upload_nbytes == 0 and gone.arrived_ps == -1)
    assert summary.rounds[1].answered == (0, 2)
    assert summary.rounds[1].weight == pytest.approx(2 / 3)
    assert [item.accuracy is None for item in summary.rounds] == [False, True, True]
    assert "round 2 had not all" in summary.unrecorded
    assert summary.hold_ups[1].cause == "deadline"


def test_who_is_late_is_left_out_and_its_bytes_still_flow() -> None:
    """Training ends in time, the upload does not: it is carried, and counts for nothing."""
    deadline_ms = (2 * TRANSFER_PS + 4 * MS) / MS - 1
    summary = simulated({"deadline": f"{deadline_ms} ms", "server": NO_ADDING})
    for item in summary.rounds:
        assert item.answered == () and item.weight == 0
    late = rows(summary, 1)[0]
    assert late.late and late.trained == 1 and late.upload_nbytes == 4 * PARAMETERS
    assert late.arrived_ps > summary.rounds[0].closed_ps
    assert sum(link.wire_nbytes for link in summary.links) == 3 * 3 * 2 * 4 * PARAMETERS


def test_a_slow_worker_stops_at_the_deadline() -> None:
    """It trains for as long as it can, and sends nothing."""
    plan = {"slow": {"worker0": 50.0}, "deadline": "50 ms", "server": NO_ADDING}
    row = rows(simulated(plan), 1)[0]
    assert row.late and row.upload_nbytes == 0
    assert row.iterating_ps == 50 * MS - TRANSFER_PS and row.trained == row.iterating_ps / (
        200 * MS
    )
    assert row.training_pj == pytest.approx(row.trained * 4 * (3e8 + 50 * 2.0 * MS))


def test_training_that_ends_at_the_deadline_is_done_and_late() -> None:
    """Both in the same picosecond, whichever event comes first: all was trained, for nothing."""
    for overlap in (False, True):
        plan = {"overlap": overlap, "network": IDEAL | {"latency": "3 ms"}, "deadline": "7 ms"}
        row = rows(simulated(plan), 1)[0]
        assert row.trained == 1 and row.late and row.iterating_ps == 4 * MS


@pytest.mark.parametrize("slowness", [1.0, 2.5])
def test_uploads_that_overlap_hide_behind_training(slowness: float) -> None:
    """A quarter of the model is ready half an iteration before the rest, on slow chips as well."""
    plan = {
        "server": NO_ADDING,
        "network": {"bandwidth": "10 Gbit/s"},
        "slow": {f"worker{number}": slowness for number in range(3)},
    }
    saved = took(simulated(plan)) - took(simulated(plan | {"overlap": True}))
    assert saved == MODEL_PS // 10 // 4


def test_a_compressed_upload_is_shorter_and_has_fewer_numbers() -> None:
    """top-0.01: 1,000 numbers of 2 bytes and as many places of 4; the download is FP16."""
    plan = {"variant": {"compression": "top-0.01"}, "server": {"adds_per_s": 1e9}}
    summary = simulated(plan)
    row = rows(summary, 1)[0]
    assert (row.upload_nbytes, row.download_nbytes) == (6 * 1000, 2 * PARAMETERS)
    assert row.waiting_ps == 3 * 1000 * 1000


def test_the_weight_of_a_mean_is_that_of_its_samples() -> None:
    """Of 18 parts of the data, the worker of 13 is too late."""
    plan = {"deadline": "12 ms", "network": IDEAL, "server": NO_ADDING}
    item = simulated(plan, counts=(2, 3, 13)).rounds[0]
    assert item.answered == (0, 1) and item.weight == pytest.approx(5 / 18)


def test_a_worker_that_aggregates_adds_on_its_chip() -> None:
    """Its time and its energy; it sends and receives nothing itself."""
    summary = simulated({"aggregator": "worker0"})
    hub, other = rows(summary, 1)[:2]
    assert hub.adding_pj == 3 * PARAMETERS * 0.5 and hub.adding_ps == 1
    assert hub.upload_nbytes == hub.download_nbytes == 0 == other.adding_pj


def test_a_server_costs_what_the_plan_says() -> None:
    """Nothing by default; else its additions, and its power in all of the round."""
    assert {item.server_pj for item in simulated({}).rounds} == {0.0}
    server = {"add_energy": "2 pJ", "power": "1 W"}
    summary = simulated({"server": server})
    expected = 2 * 3 * PARAMETERS + took(summary)
    assert summary.rounds[0].server_pj == pytest.approx(expected)


def test_lost_packets_make_a_round_longer_and_are_paid() -> None:
    """Half of all packets: about twice the bytes, and every one of them costs its bits."""
    plan = {"network": {"loss": 0.5}, "server": NO_ADDING, "seed": 3}
    summary, plain = simulated(plan), simulated({"server": NO_ADDING})
    resent = sum(row.resent_nbytes for row in summary.workers)
    sent = sum(row.upload_nbytes + row.download_nbytes for row in summary.workers)
    assert 0.9 < resent / sent < 1.1 and took(summary) > 1.8 * took(plain) - 4 * MS
    paid = sum(row.network_pj for row in summary.workers)
    assert paid == pytest.approx(8 * (sent + resent) * 1000)


def test_accuracy_is_that_of_the_recording_where_the_run_is_the_recorded_one() -> None:
    """Other workers, iterations or protocols train another model."""
    summary = simulated({})
    assert [item.accuracy for item in summary.rounds] == pytest.approx([0.3, 0.5, 0.7])
    assert summary.initial_accuracy == 0.1 and summary.unrecorded == ""
    for change in ({"workers": 2}, {"local": 3}, {"protocol": "data-parallel"}):
        other = simulated(change)
        assert other.initial_accuracy is None and other.unrecorded
        assert {item.accuracy for item in other.rounds} == {None}


@given(
    st.integers(1, 6),
    st.sampled_from(["star", "ring", "tree"]),
    st.sampled_from([0.0, 0.2]),
    st.booleans(),
    st.sampled_from(["none", "fp16"]),
    st.sampled_from([None, "12 ms", "7 ms", "4 ms"]),
)
@settings(deadline=None, max_examples=60)
def test_every_system_ends_and_keeps_the_laws(
    workers: int, topology: str, loss: float, overlap: bool, compression: str, deadline: str | None
) -> None:
    """Whatever is late, lost or gone: no run hangs, and its figures add up."""
    plan: dict[str, object] = {
        "workers": workers,
        "network": {"topology": topology, "loss": loss},
        "overlap": overlap,
        "variant": {"compression": compression},
        "slow": {"worker0": 1.5},
        "rounds": 2,
    }
    if deadline is not None:
        plan |= {"deadline": deadline}
        if workers > 1:
            plan |= {"drop": {"worker1": {"round": 1, "at": 0.6}}}
    summary = simulated(plan, 20_000, counts=(1, 3))
    assert summary.time_ps == summary.rounds[-1].end_ps
