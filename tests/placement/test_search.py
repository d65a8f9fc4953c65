"""The placement search: bounded, deterministic, better by its estimate, and the estimate sound."""

from itertools import pairwise

import numpy as np
import pytest

from tests.program.jobs import Densities, conv, job, linear, loaded_chip, place
from tests.reliability.probe import APART
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.placement.search import Search, snake
from tlm.program.build import build_program


def network():
    """Three convolutions and a linear layer, 6 samples."""
    first = conv((3, 12, 12), 32, 3, padding=1)
    second = conv(first.out_shape, 48, 3, padding=1, pool=2)
    third = conv(second.pooled_shape, 64, 3, padding=1)
    last = linear(int(np.prod(third.out_shape)), 10)
    return job(first, second, third, last, batch=6, densities=Densities(spikes=0.1, live=1.0))


@pytest.fixture(scope="module")
def drawn():
    """One job for all tests."""
    return network()


def chosen(drawn, *overrides):
    """What a search found."""
    return place(*drawn, *overrides).chosen


@pytest.mark.parametrize("objective", ["time", "energy", "edp", "bytes"])
def test_going_further_never_ends_worse(drawn, objective):
    """none >= greedy >= local by the estimated objective, and no more tried than allowed."""
    scores = [chosen(drawn).best.estimate.score(objective)]
    for search in ("greedy", "local"):
        found = chosen(
            drawn, f"mapping.search={search}", f"mapping.objective={objective}",
            "mapping.search_steps=40",
        )  # fmt: skip
        assert found.tried <= 40
        ranked = [one.estimate.score(objective) for one in found.ranked]
        assert ranked == sorted(ranked)
        scores.append(ranked[0])
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("objective", "figure"),
    [
        ("time", lambda cost: cost.time_ps),
        ("energy", lambda cost: cost.energy_pj),
        ("edp", lambda cost: cost.time_ps * cost.energy_pj),
        ("bytes", lambda cost: cost.dram_bytes),
    ],
)
def test_an_objective_ranks_by_its_own_figure(drawn, objective, figure):
    """The mappings listed stand by what was asked for, smallest first."""
    overrides = (*APART, "mapping.search=local", "mapping.search_steps=60")
    found = chosen(drawn, *overrides, f"mapping.objective={objective}")
    values = [figure(candidate.estimate) for candidate in found.ranked]
    assert values == sorted(values)
    by_time = chosen(drawn, *overrides, "mapping.objective=time")
    assert values[0] <= min(figure(candidate.estimate) for candidate in by_time.ranked)


def test_the_same_inputs_give_the_same_choice(drawn):
    """Nothing is drawn but from a fixed seed."""
    overrides = ("mapping.search=local", "mapping.search_steps=60", "cores=13")
    first, second = chosen(drawn, *overrides), chosen(drawn, *overrides)
    assert [one.grids for one in first.ranked] == [one.grids for one in second.ranked]


def test_a_search_goes_on_from_the_best_so_far(drawn, monkeypatch):
    """Every candidate differs from the best before it in the grid of one layer at most."""
    rated, rate = [], Search._rate

    def listed(*arguments):
        rated.append(rate(*arguments))
        return rated[-1]

    monkeypatch.setattr(Search, "_rate", listed)
    chosen(drawn, "mapping.search=local", "mapping.search_steps=60", "mapping.objective=time")
    steps = [at for at, candidate in enumerate(rated) if candidate.origin in ("greedy", "local")]
    assert len(steps) > 40
    for at in steps:
        best = min(rated[:at], key=lambda candidate: candidate.estimate.time_ps)
        pairs = zip(rated[at].grids, best.grids, strict=True)
        assert sum(grid != other for grid, other in pairs) <= 1


def test_without_a_search_there_is_one_candidate(drawn):
    """Each layer's own best grid, or stages if layers are to have cores of their own."""
    assert chosen(drawn).tried == 1
    assert "stages" in chosen(drawn, "mapping.split=placed").best.origin


def simulated_ps(drawn, *overrides):
    """Makespan of a job."""
    plan = place(*drawn, *overrides)
    timing = load_dram_timing(plan.chip.dram.device)
    chip = Chip(plan.chip, timing, build_program(plan), None, None)
    run_until(chip.env, chip.finished)
    return chip.env.now, plan.chosen.best.estimate.time_ps


def test_estimates_order_what_simulations_order(drawn):
    """Cores and dense engines change the time by factors: estimates follow, within a factor 2."""
    dense = tuple(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg"))
    cases = [("cores=1",), ("cores=4",), ("cores=20",), ("cores=4", *dense)]
    pairs = [simulated_ps(drawn, *APART, *case) for case in cases]
    for found, estimate in pairs:
        assert 0.5 < estimate / found < 2
    assert (
        np.argsort([found for found, _ in pairs]).tolist()
        == np.argsort([estimate for _, estimate in pairs]).tolist()
    )


def test_neighbours_on_the_path_are_neighbours_on_the_mesh():
    """Rows to and fro, each core once."""
    chip = loaded_chip("cores=18").config
    path = snake(chip)
    assert sorted(path) == list(range(18))
    for a, b in pairwise(path):
        (ya, xa), (yb, xb) = divmod(a, 5), divmod(b, 5)
        assert abs(ya - yb) + abs(xa - xb) == 1 or 17 in (a, b)
