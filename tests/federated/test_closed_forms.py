"""Round times beside the closed forms of ideal stars, rings and trees, for 1 to 32 workers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.federated.systems import IDEAL, MS, NO_ADDING, simulated, took

PARAMETERS = 64_000
NBYTES = 4 * PARAMETERS
SECOND = 10**12  # ps
SIZES = (1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 32)
NETWORK = {"bandwidth": "1 Gbit/s", "latency": "100 us"}
MODEL_PS = NBYTES * 8 * SECOND // 10**9
LATENCY_PS = 10**8


def plan(workers: int, topology: str, protocol: str) -> dict[str, object]:
    return {
        "workers": workers,
        "protocol": protocol,
        "rounds": 1,
        "local": 2,
        "network": NETWORK | {"topology": topology},
        "server": NO_ADDING,
    }


def all_reduce_ps(topology: str, workers: int) -> float:
    """What an all-reduce takes without contention."""
    if workers == 1 and topology != "star":
        return 0
    if topology == "ring":
        steps = 2 * (workers - 1)
        return steps / workers * MODEL_PS + steps * LATENCY_PS
    copies = 2 if topology == "star" else 2 * (workers.bit_length() - 1)
    return copies * (MODEL_PS + LATENCY_PS)


@pytest.mark.parametrize("topology", ["star", "ring", "tree"])
@pytest.mark.parametrize("workers", SIZES)
def test_an_all_reduce_takes_its_closed_form(workers: int, topology: str) -> None:
    """Two iterations of compute that is almost nothing, within 0.1 %."""
    summary = simulated(plan(workers, topology, "data-parallel"), PARAMETERS, makespan_ps=10)
    assert took(summary) == pytest.approx(2 * all_reduce_ps(topology, workers) + 20, rel=1e-3)


@pytest.mark.parametrize("workers", SIZES)
def test_a_star_of_fedavg_takes_one_model_down_and_one_up(workers: int) -> None:
    """To the picosecond: links of workers are apart."""
    summary = simulated(plan(workers, "star", "fedavg"), PARAMETERS)
    assert took(summary) == 2 * (MODEL_PS + LATENCY_PS) + 2 * MS


@pytest.mark.parametrize("workers", SIZES[1:])
def test_a_worker_that_aggregates_sends_all_models_over_one_link(workers: int) -> None:
    """Who gets the last of N - 1 copies answers last; a switch holds every packet once."""
    asked = plan(workers, "star", "fedavg") | {"aggregator": "worker0"}
    packet_ps = 1500 * 8 * SECOND // 10**9
    last_download_ps = (workers - 1) * MODEL_PS + packet_ps + 2 * LATENCY_PS
    upload_ps = MODEL_PS + packet_ps + 2 * LATENCY_PS
    summary = simulated(asked, PARAMETERS)
    assert took(summary) == pytest.approx(last_download_ps + 2 * MS + upload_ps, rel=1e-3)


@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from(["fedavg", "data-parallel"]))
@settings(deadline=None, max_examples=25)
def test_a_network_without_limits_adds_nothing(workers: int, local: int, protocol: str) -> None:
    """Whatever the topology and the protocol: iterations, and a ps for each addition on a chip."""
    for topology in ("star", "ring", "tree"):
        asked = plan(workers, topology, protocol) | {"local": local}
        asked["network"] = IDEAL | {"topology": topology, "packet": "64 KiB"}
        adds = 0 if topology == "star" else local * 2 * workers
        assert local * MS <= took(simulated(asked, PARAMETERS)) <= local * MS + adds
