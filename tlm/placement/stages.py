"""Stages: consecutive layers on groups of cores of their own (split ``placed``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.space.array_types import Floats, Ints
from tlm.space.region import Span


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
    tables: list[Ints] = []
    best = (np.inf, 0)
    for stage in range(1, min(layers, cores) + 1):
        least, chosen = _with_another_stage(least, running)
        tables.append(chosen)
        total = float(least[layers, cores]) * (samples + stage - 1) / samples
        if stage > 1 or min(layers, cores) == 1:
            best = min(best, (total, stage))
    return _traced(tables[: best[1]], layers, cores)


def _with_another_stage(least: Floats, running: Floats) -> tuple[Floats, Ints]:
    """Slowest stage [layers, cores] with one stage more, and where it begins (layer, core)."""
    layers, cores = least.shape[0] - 1, least.shape[1] - 1
    slowest_stage = np.full_like(least, np.inf)
    chosen = np.zeros((*least.shape, 2), np.int64)
    for layer in range(1, layers + 1):
        last_stage = running[layer] - running[:layer]  # [first layer of the stage, cores - 1]
        for core in range(1, cores + 1):
            # before: [first layer, cores used before], the last stage's time on the rest
            slowest = np.maximum(least[:layer, :core], last_stage[:, core - 1 :: -1])
            first = int(slowest.argmin())
            slowest_stage[layer, core] = slowest.flat[first]
            chosen[layer, core] = divmod(first, core)
    return slowest_stage, chosen


def _traced(tables: list[Ints], layers: int, cores: int) -> list[Stage]:
    stages: list[Stage] = []
    for chosen in reversed(tables):
        layer, core = (int(start) for start in chosen[layers, cores])
        stages.append(Stage((layer, layers), (core, cores)))
        layers, cores = layer, core
    return stages[::-1]
