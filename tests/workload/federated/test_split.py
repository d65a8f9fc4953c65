"""Training data over workers: every sample once, reproducible, as uneven as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.training.federated.split import dirichlet_split, iid_split, worker_batches

LABELS = st.lists(st.integers(0, 4), min_size=30, max_size=300).map(np.array)


@given(st.integers(1, 500), st.integers(1, 12), st.integers(0, 9))
def test_an_even_split_has_every_sample_once(samples: int, workers: int, seed: int) -> None:
    """Parts differ by one sample at most."""
    parts = iid_split(samples, workers, (seed,))
    assert len(parts) == workers
    assert sorted(np.concatenate(parts).tolist()) == list(range(samples))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(LABELS, st.integers(1, 5), st.sampled_from([0.3, 1.0, 30.0]), st.integers(0, 9))
def test_an_uneven_split_has_every_sample_once(
    labels: np.ndarray, workers: int, alpha: float, seed: int
) -> None:
    """No worker is left with less than asked, and the same seed gives the same parts."""
    parts = dirichlet_split(labels, workers, alpha, 2, (seed,))
    assert len(parts) == workers
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert min(map(len, parts)) >= 2
    for part, again in zip(parts, dirichlet_split(labels, workers, alpha, 2, (seed,)), strict=True):
        assert np.array_equal(part, again)


def test_a_small_alpha_makes_workers_differ() -> None:
    """The largest share of a class that a worker holds grows as alpha falls."""
    labels = np.arange(10_000) % 10

    def largest(alpha: float) -> float:
        parts = dirichlet_split(labels, 5, alpha, 16, (1,))
        return float(np.mean([np.bincount(labels[part], minlength=10).max() for part in parts]))

    assert largest(0.1) > largest(1.0) > largest(1000.0)
    assert largest(1000.0) == pytest.approx(200, rel=0.15)  # 1,000 of a class over 5 workers


def test_a_split_that_cannot_be_is_refused() -> None:
    """Drawing again would never end."""
    with pytest.raises(WorkloadError, match="less than a mini-batch of 4; take fewer workers"):
        dirichlet_split(np.zeros(10, np.int64), 3, 0.5, 4, (1,))


@given(st.integers(4, 60), st.integers(1, 4), st.integers(1, 40))
def test_batches_pass_through_all_samples(samples: int, size: int, iterations: int) -> None:
    """Within a pass no sample comes twice; a rest shorter than a batch is left out."""
    own = np.arange(100, 100 + samples)
    batches = worker_batches(own, size, iterations, (3, 1))
    assert len(batches) == iterations
    in_pass = samples // size
    for first in range(0, iterations, in_pass):
        drawn = np.concatenate(batches[first : first + in_pass])
        assert len(set(drawn.tolist())) == len(drawn)
        assert set(drawn.tolist()) <= set(own.tolist())
