"""The studies: what they vary and rank, and how parts of them are put together."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.evidence import efficiency, modes, organisations, page, sensitivity
from tests.evidence.constants import numeric, value_of, varied
from tlm.config import load_chip
from tlm.validation.page import kept_studies


def test_constants_come_from_the_provenance() -> None:
    """Whatever is assumed and a number is varied; what has a source is not."""
    loaded = load_chip("neuromc-20")
    keys = numeric(loaded)
    assert "core.clock" in keys and "noc.link" in keys
    assert "core.memory.weights" not in keys and "core.engines.fp.rows" not in keys
    assert set(keys) <= set(loaded.assumed)


def test_every_varied_value_is_legal_and_at_least_20_percent_off() -> None:
    """Up and down, rounded away from the usual value; where there is none, it says so."""
    loaded = load_chip("neuromc-20")
    for key in ("core.clock", "noc.link", "noc.vcs", "dram.write_high", "mesh.columns"):
        usual = value_of(loaded, key)
        for up in (False, True):
            change = varied("neuromc-20", key, up)
            if change is None:
                continue
            share = value_of(load_chip("neuromc-20", [change]), key) / usual
            assert share >= 1.2 - 1e-9 if up else share <= 0.8 + 1e-9, change
    assert varied("neuromc-20", "noc.payload", True) == "noc.payload=512 B"
    assert varied("neuromc-20", "noc.link", False) == "noc.link=96 bit"
    assert varied("neuromc-20", "dram.bus", True) is None


def test_variants_are_legal_chips() -> None:
    """Every mode and policy loads; an engine with nothing to look for is dense."""
    for variant in modes.variants(("-",)):
        engines = load_chip("neuromc-20", list(variant.overrides)).config.core.engines
        if variant.policy == "S":
            assert (engines.fp.mode, engines.bp.mode) == (variant.mode, "dense")
    assert {variant.mode for variant in modes.variants(("-",))} >= {"dense", "vector"}


def test_a_measured_row_makes_a_section() -> None:
    """Dense and slices of one job: the table relates the second to the first."""
    rows = [{k: str(v) for k, v in row.items()} for row in islice(modes.measure("digits"), 2)]
    text = modes.section(rows)
    assert "| digits | - | dense | none |" in text and "| 1.00 |" in text
    slices = next(line for line in text.splitlines() if "| slices |" in line)
    assert float(slices.split("|")[6]) >= 1.0  # leaving work out is not slower here


def test_organisations_are_told_as_they_were_measured() -> None:
    """The page holds what the file of results says; a crossbar is its own measure."""
    text = organisations.section(page.read_csv(organisations.RESULTS))
    assert text in page.STUDIES.read_text(encoding="utf-8")
    crossbars = [line for line in text.splitlines() if "| crossbar |" in line]
    assert len(crossbars) == len(organisations.JOBS) * len(organisations.PLACES)
    assert all(line.endswith("| 1.00 | 1.00 |") for line in crossbars)


@pytest.fixture(scope="module")
def digits() -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Summary and energy rows of a small job."""
    return page.simulate("digits")


def test_other_prices_are_those_of_the_other_table(digits) -> None:
    """Counts of a run on one table, priced by the other, give the other run's energy."""
    summary, rows = digits
    other, _ = page.simulate("digits", overrides=["energy=cacti28"])
    priced = modes.priced(rows, modes.OTHER_TABLE)
    assert priced == pytest.approx(other.energy.total_pj)
    assert priced != pytest.approx(summary.energy.total_pj)


def test_a_flip_needs_more_than_a_tie() -> None:
    """Two that change places count only if they differ by more than 1 % before and after."""

    def rows(dense: float, vector: float) -> dict[str, dict[str, str]]:
        return {"mode dense": {"time_us": str(dense)}, "mode vector": {"time_us": str(vector)}}

    usual = rows(100, 90)
    assert sensitivity.flips(usual, rows(90, 100), "time_us", "mode") == [
        "mode dense and mode vector"
    ]
    assert sensitivity.flips(usual, rows(99.5, 100), "time_us", "mode") == []
    assert sensitivity.flips(usual, rows(100, 95), "time_us", "mode") == []


def test_efficiency_of_a_run_is_that_of_its_summary(digits) -> None:
    """Priced by the run's own table, TFLOPS/W by all numerators and boundaries agree."""
    summary, rows = digits
    table = load_chip("neuromc-20").energy
    found, whole = efficiency.figures(summary, rows, table), summary.efficiency
    for boundary in ("core", "chip"):
        dense, useful = whole.dense_equivalent_tflops_w, whole.effective_tflops_w
        assert found[f"dense_{boundary}"] == pytest.approx(getattr(dense, boundary))
        assert found["slots_core"] == pytest.approx(whole.slot_tflops_w.core)
        assert found[f"effective_{boundary}"] == pytest.approx(getattr(useful, boundary))


def test_shares_of_the_constants_add_up(digits) -> None:
    """Every coefficient of a run has a label, and all together make both boundaries."""
    _, rows = digits
    found = list(efficiency.constants("digits", rows))
    for boundary in ("share_core", "share_chip"):
        assert sum(row[boundary] for row in found) == pytest.approx(1)
    assert {row["label"] for row in found} == {"calibrated", "assumed"}


def test_results_are_updated_in_parts(tmp_path: Path) -> None:
    """Rows measured again replace the old ones, whatever their keys; the others stay."""
    path = tmp_path / "new" / "r.csv"
    page.update_csv(path, ("a",), [{"a": "-", "b": "old"}, {"a": "2", "b": "kept"}])
    page.update_csv(path, ("a",), [{"a": "-", "b": "new"}])
    assert page.read_csv(path) == [{"a": "-", "b": "new"}, {"a": "2", "b": "kept"}]


def test_sections_are_replaced_and_survive_the_validation_page(tmp_path: Path) -> None:
    """A section is written between its marks, once; writing the page anew keeps it."""
    path = tmp_path / "page.md"
    page.replace_section(path, "one", "first")
    page.replace_section(path, "two", "second")
    page.replace_section(path, "one", "first, again")
    text = path.read_text(encoding="utf-8")
    assert text.count("study: one") == 1 and "first, again" in text and "second" in text
    kept = kept_studies(text)
    assert "first, again" in kept and "second" in kept and "# Studies" not in kept
