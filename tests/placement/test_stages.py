"""Stages: consecutive layers on cores of their own, against all ways to make them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tlm.placement.stages import best_stages


def cost(times, stages, samples):
    """Estimated time of (layers, cores) of every stage, in order."""
    slowest = max(
        sum(times[layer][cores - 1] for layer in range(*layers)) for layers, cores in stages
    )
    return slowest * (samples + len(stages) - 1) / samples


def all_ways(layers, cores):
    """Every way to cut layers into stages with cores of their own."""
    for count in range(min(2, layers, cores), min(layers, cores) + 1):
        for inner in itertools.combinations(range(1, layers), count - 1):
            for used in itertools.combinations(range(1, cores), count - 1):
                ends, places = (0, *inner, layers), (0, *used, cores)
                spans = itertools.pairwise(ends)
                shares = [b - a for a, b in itertools.pairwise(places)]
                yield list(zip(spans, shares, strict=True))


@given(data=st.data(), layers=st.integers(1, 4), cores=st.integers(1, 5))
def test_no_other_stages_are_better(data, layers, cores):
    """The least estimated time of all ways, all layers and cores used in order."""
    times = []
    for _ in range(layers):
        drawn = data.draw(st.lists(st.integers(1, 99), min_size=cores, max_size=cores))
        times.append(sorted(drawn, reverse=True))
    samples = data.draw(st.integers(1, 16))
    found = best_stages(times, samples)
    assert [found[0].layers[0], *(one.layers[1] for one in found)][-1] == layers
    assert all(a.layers[1] == b.layers[0] for a, b in itertools.pairwise(found))
    assert all(a.cores[1] == b.cores[0] for a, b in itertools.pairwise(found))
    made = [(one.layers, one.cores[1] - one.cores[0]) for one in found]
    best = min(cost(times, way, samples) for way in all_ways(layers, cores))
    assert cost(times, made, samples) <= best * (1 + 1e-9)
