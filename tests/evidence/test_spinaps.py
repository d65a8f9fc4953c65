"""The study of SpinAPS hardware: its ratios, shortest steps and lists of parameters."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence import spinaps, spinaps_runs
from tests.evidence.page import DOCS, read_csv
from tests.evidence.spinaps_ratio import (
    PUBLISHED,
    STEP_TIME,
    favourable,
    least_step_ps,
    tornado,
    twins,
)
from tests.evidence.spinaps_training import worn
from tests.evidence.spreads import spreads, with_value

PAIR = twins()
NAMES = sorted(PAIR.parameters)


@given(st.sampled_from(NAMES), st.booleans(), st.sampled_from(sorted(spinaps.CORES)))
def test_the_shortest_step_gives_the_ratio(name: str, high: bool, core: str) -> None:
    """With it the ratio is 4, with less it is not; where none is, no step gives it."""
    pair = twins(core)
    spread = pair.parameters.get(name)
    if spread is not None and name != STEP_TIME:
        pair = pair.at(name, spread.high if high else spread.low)
    least = least_step_ps(pair)
    if least == inf:
        assert pair.at(STEP_TIME, 1e15).ratio < PUBLISHED
    elif least > pair.costs[0].time_ps:
        assert pair.at(STEP_TIME, least).ratio == pytest.approx(PUBLISHED)
        assert pair.at(STEP_TIME, least * 0.99).ratio < PUBLISHED
    else:
        assert pair.at(STEP_TIME, 0.0).ratio >= PUBLISHED


def test_a_core_that_never_waits_needs_no_step() -> None:
    """Where 4x holds at full speed the shortest step is that of the work."""
    pair = PAIR
    for name, end in (("clock", 200_000_000), ("work.spikes", 25.0), ("network.basis", 16)):
        pair = pair.at(name, end)
    pair = pair.at("array.technologies.sram.cell_leakage", 29.3e-9)
    assert pair.ratio > PUBLISHED
    assert least_step_ps(pair) == pair.costs[0].time_ps


def test_a_value_is_changed_in_both_twins_or_in_the_arrays() -> None:
    """And nothing else is."""
    faster = PAIR.at("clock", 1_000_000_000)
    assert faster.core.clock.value == faster.sram.clock.value == 1_000_000_000
    assert faster.arrays is PAIR.arrays
    name = "technologies.sram.read_bit"
    arrays = PAIR.at(f"array.{name}", 0.02).arrays
    changed = {key for key, each in spreads(arrays).items() if each != spreads(PAIR.arrays)[key]}
    assert changed == {name}
    assert with_value(arrays, name, PAIR.arrays.technologies["sram"].read_bit.value) == PAIR.arrays


def test_a_tornado_is_in_order_and_leaves_out_what_moves_nothing() -> None:
    """Steps until the decision and the endurance of a cell move no ratio."""
    swings = tornado(PAIR)
    assert all(before.size >= after.size for before, after in pairwise(swings))
    assert swings[0].name == STEP_TIME
    names = {swing.name for swing in swings}
    assert "work.steps" not in names
    assert not any("endurance" in name or "aggressive" in name for name in names)


def test_favourable_ends_only_help() -> None:
    """Each next parameter raises the ratio; three are enough for 4x without a pause."""
    ratios = [PAIR.ratio, *(ratio for _, ratio in favourable(PAIR, without=[STEP_TIME]))]
    assert all(before < after for before, after in pairwise(ratios))
    assert ratios[2] < PUBLISHED < ratios[3]


def test_nvsim_says_the_same_without_our_rule() -> None:
    """Arrays that are read all the time: 0.8 to 2.6; idle ones: 7.7 and more."""
    rows = list(spinaps.nvsim_rows(2000))
    assert len(rows) == 8
    assert {0.8 < float(busy) < 2.6 for _, _, busy, _ in rows} == {True}
    assert min(float(idle) for *_, idle in rows) == 7.7


def test_wear_of_cells() -> None:
    """A million updates of 40 us are 40 s; SRAM never wears."""
    cells = PAIR.arrays.technologies
    assert worn(cells["sram"], 40) == ("never", "never")
    assert worn(cells["stt-ram"], 40) == ("1e+06 / 1e+12 / 1e+15", "1e-06 / 1 / 1e+03")


def test_the_page_has_runs_of_the_present_simulator() -> None:
    """Its section is that of the figures kept, of which those of a sample are measured again."""
    rows = read_csv(spinaps_runs.RESULTS)
    page = (DOCS / "spinaps-hardware.md").read_text(encoding="utf-8")
    assert spinaps_runs.runs_section(rows).strip() in page
    for stop in (spinaps_runs.ALL, spinaps_runs.EARLY):
        assert spinaps_runs.measure("spinaps-motions", "spinaps-sram", stop, 1) in rows


def test_the_page_is_of_the_present_model() -> None:
    """The sections and the CSV that are committed are those that would be written now."""
    page = (DOCS / "spinaps-hardware.md").read_text(encoding="utf-8")
    for text in (
        spinaps.arrays_section(PAIR),
        spinaps.ratio_section(PAIR),
        spinaps.tornado_section(PAIR),
        spinaps.bits_section(),
        spinaps.others_section(),
    ):
        assert text.strip() in page
    rows = read_csv(DOCS / "studies" / "spinaps-tornado.csv")
    swings = {swing.name: swing for swing in tornado(PAIR, without=[STEP_TIME])}
    written = {row["parameter"]: row for row in rows if row["step"] == "no pause"}
    assert written.keys() == swings.keys()
    for name, swing in swings.items():
        assert float(written[name]["low"]) == pytest.approx(swing.low, abs=1e-4)
