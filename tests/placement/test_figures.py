"""What mappings are compared by: one figure an objective, and the front of three."""

from hypothesis import given
from hypothesis import strategies as st

from tlm.placement.figures import MappingFigures

FIGURES = st.builds(MappingFigures, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))


def test_a_score_is_the_figure_of_its_objective():
    """Slower, with less energy and more bytes: it wins by energy alone."""
    slow, fast = MappingFigures(20, 100.0, 7), MappingFigures(10, 150.0, 6)
    better = {
        name: slow.score(name) < fast.score(name) for name in ("time", "energy", "edp", "bytes")
    }
    assert better == {"time": False, "energy": True, "edp": False, "bytes": False}
    assert slow.score("edp") == 2000.0


@given(FIGURES, FIGURES)
def test_one_dominates_another_that_is_worse_in_some_and_better_in_none(first, second):
    """By the definition of a Pareto order, written with tuples."""
    mine = (first.time_ps, first.energy_pj, first.dram_bytes)
    others = (second.time_ps, second.energy_pj, second.dram_bytes)
    lower = tuple(map(min, mine, others))
    assert first.dominates(second) == (lower == mine and mine != others)
    assert not (first.dominates(second) and second.dominates(first))
