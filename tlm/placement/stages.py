"""Stages: consecutive layers on groups of cores of their own (split ``placed``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tlm.space.region import Span

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive layers that share consecutive cores, both as half-open spans."""

    layers: Span
    cores: Span


def best_stages(time_ps: Sequence[Sequence[int]], samples: int) -> list[Stage]:
    """The stages with the least estimated time of ``samples`` samples in a row.

    A pipeline of S stages takes (samples + S - 1) / samples times its slowest stage. Exact by
    dynamic programming over layers, cores and stages; ties go to fewer stages. There are at least
    two, unless there is one layer or one core.

    Args:
        time_ps: for each layer, its time on 1, 2, ... cores, all samples.
        samples: how many samples follow each other.
    """
    layers, cores = len(time_ps), len(time_ps[0])
    running = np.vstack([np.zeros(cores), np.cumsum(np.asarray(time_ps, np.float64), axis=0)])
    least = np.full((layers + 1, cores + 1), np.inf)
    least[0] = 0.0
    tables: list[npt.NDArray[np.int64]] = []
    best = (np.inf, 0)
    for stage in range(1, min(layers, cores) + 1):
        least, chosen = _one_more(least, running)
        tables.append(chosen)
        total = float(least[layers, cores]) * (samples + stage - 1) / samples
        if stage > 1 or min(layers, cores) == 1:
            best = min(best, (total, stage))
    return _traced(tables[: best[1]], layers, cores)


def _one_more(least: Times, running: Times) -> tuple[Times, npt.NDArray[np.int64]]:
    """Slowest stage [layers, cores] with one stage more, and where it begins (layer, core)."""
    layers, cores = least.shape[0] - 1, least.shape[1] - 1
    found = np.full_like(least, np.inf)
    chosen = np.zeros((*least.shape, 2), np.int64)
    for layer in range(1, layers + 1):
        own = running[layer] - running[:layer]  # [first layer of the stage, cores - 1]
        for core in range(1, cores + 1):
            # before: [first layer, cores used before], own time on the rest
            slowest = np.maximum(least[:layer, :core], own[:, core - 1 :: -1])
            first = int(slowest.argmin())
            found[layer, core] = slowest.flat[first]
            chosen[layer, core] = divmod(first, core)
    return found, chosen


def _traced(tables: list[npt.NDArray[np.int64]], layers: int, cores: int) -> list[Stage]:
    found: list[Stage] = []
    for chosen in reversed(tables):
        layer, core = (int(one) for one in chosen[layers, cores])
        found.append(Stage((layer, layers), (core, cores)))
        layers, cores = layer, core
    return found[::-1]
