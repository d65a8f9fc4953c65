"""The training data over the workers: every sample belongs to one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError

Samples = NDArray[np.int64]
"""Indices of training samples."""

_DRAWS = 1000


def iid_split(samples: int, workers: int, seed: Sequence[int]) -> list[Samples]:
    """``samples`` in random order, cut into equal parts (or one sample larger)."""
    order = np.random.default_rng(seed).permutation(samples)
    return np.array_split(order, workers)


def dirichlet_split(
    labels: NDArray[np.int64], workers: int, alpha: float, least: int, seed: Sequence[int]
) -> list[Samples]:
    """The samples of each class cut by shares that are drawn from Dirichlet(alpha).

    Workers so differ in their classes and in how much they have (Yurochkin et al., arXiv
    1905.12022). It is drawn again until each has ``least`` samples; raises WorkloadError if no
    draw of many leaves that.
    """
    draw = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        parts = _drawn(labels, workers, alpha, draw)
        if min(map(len, parts)) >= least:
            return parts
    raise WorkloadError(
        f"{len(labels)} samples over {workers} workers with alpha {alpha:g}: in {_DRAWS} draws "
        f"some worker had less than a mini-batch of {least}; take fewer workers or a larger alpha"
    )


def _drawn(
    labels: NDArray[np.int64], workers: int, alpha: float, draw: np.random.Generator
) -> list[Samples]:
    pieces: list[list[Samples]] = [[] for _ in range(workers)]
    for label in np.unique(labels):
        of_class = draw.permutation(np.flatnonzero(labels == label))
        shares = draw.dirichlet(np.full(workers, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(of_class)).astype(np.int64)
        for worker, piece in enumerate(np.split(of_class, cuts)):
            pieces[worker].append(piece)
    return [np.concatenate(piece) for piece in pieces]


def worker_batches(
    samples: Samples, size: int, iterations: int, seed: Sequence[int]
) -> list[Samples]:
    """Mini-batches of a worker: pass after pass in a new order; a short rest is left out."""
    draw = np.random.default_rng(seed)
    in_pass = len(samples) // size
    passes = -(-iterations // in_pass)
    orders = [draw.permutation(samples)[: in_pass * size] for _ in range(passes)]
    return list(np.concatenate(orders).reshape(-1, size)[:iterations])
