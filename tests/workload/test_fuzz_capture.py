"""Random networks over all structures: recorded exactly, or refused on one line of a short list."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tests.workload.nets.drawn import Drawn, capture_of, loss  # noqa: E402
from tests.workload.nets.parts import recorded  # noqa: E402
from tlm.errors import WorkloadError  # noqa: E402

CAUSES = (
    "it reads a pool of products of spikes beside other things",
    "parts of what it reads pass no dropout, or another one",
)
"""Why a network may be refused."""


def refused(seeds: range, path: Path) -> int:
    """How many networks of ``seeds`` are refused, each by one of ``CAUSES``; others are exact."""
    count = 0
    for seed in seeds:
        torch.manual_seed(seed)
        net = Drawn(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a layer that never fires is told as a warning
                recorded(net, net.frames, path, loss, capture_of(net))
        except WorkloadError as error:
            line = str(error)
            assert "\n" not in line and any(cause in line for cause in CAUSES), (seed, line)
            count += 1
    return count


def test_random_networks(tmp_path: Path) -> None:
    """Layouts, products, windows, joins, norms, neurons and read-outs at random."""
    assert refused(range(40), tmp_path) <= 2


@pytest.mark.slow
def test_more_random_networks(tmp_path: Path) -> None:
    """More of them; most are recorded."""
    assert refused(range(40, 400), tmp_path) <= 25
