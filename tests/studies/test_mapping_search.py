"""Mappings compared by simulation: the known ones always, and never a loser."""

import os
import signal
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

import tlm.placement.search
import tlm.studies.mapping_search
from tlm.errors import InterruptedRunError, InvalidResultError, MappingError
from tlm.running.request import RunRequest
from tlm.running.runner import run_job
from tlm.studies.mapping_search import MappingComparison, SearchTerms, compare_mappings

STEPS = "mapping.search_steps=30"
DIGITS = RunRequest("digits", overrides=(STEPS,))
PIPELINED = ("mapping.schedule=pipelined", "mapping.group=2")


def names(comparison: MappingComparison) -> list[str]:
    """Names of the mappings simulated, best first."""
    return [each.proposal.name for each in comparison.ranked]


@pytest.fixture
def wrong_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates by which the slowest mapping is the best."""
    estimate = tlm.placement.search.estimate

    def upside_down(*arguments):
        cost = estimate(*arguments)
        return replace(cost, time_ps=10**15 // cost.time_ps)

    monkeypatch.setattr(tlm.placement.search, "estimate", upside_down)


@pytest.mark.usefixtures("wrong_estimates")
def test_a_best_estimate_that_loses_is_not_chosen(tmp_path: Path) -> None:
    """The default is simulated, too, and wins; its file gives the very figures of a plain run."""
    comparison = compare_mappings(DIGITS, SearchTerms(simulate=2))
    assert names(comparison)[0] == "default"
    loser = next(each for each in comparison.ranked if each.proposal.name == "estimate 1")
    assert loser.figures.time_ps > 1.5 * comparison.default.figures.time_ps
    (tmp_path / "best.yaml").write_text(comparison.file_text())
    mapped = run_job("digits", mapping=tmp_path / "best.yaml", out=tmp_path / "a", trace="off")
    plain = run_job("digits", out=tmp_path / "b", trace="off")
    assert mapped.summary.time == plain.summary.time
    assert comparison.best.figures.time_ps == plain.summary.time.makespan_ps


@pytest.mark.parametrize("objective", ["time", "energy", "edp", "bytes"])
def test_the_best_is_the_best_simulated(objective: str) -> None:
    """Scores rise from the first on; the default is among them, and no better than the first."""
    comparison = compare_mappings(DIGITS, SearchTerms(objective, simulate=2))
    scores = [each.figures.score(objective) for each in comparison.ranked]
    assert scores == sorted(scores)
    assert {"default", "estimate 1", "estimate 2"} == set(names(comparison))
    front = [each for each in comparison.ranked if comparison.on_front(each)]
    assert min(each.figures.score(objective) for each in front) == scores[0]


def test_the_layerwise_mapping_is_known_where_the_chip_has_another_schedule(
    tmp_path: Path,
) -> None:
    """Its file holds the schedule, which the printed overrides do not take back."""
    request = replace(DIGITS, overrides=(*PIPELINED, "noc.link=256 bit"))
    comparison = compare_mappings(request, SearchTerms(simulate=0))
    assert set(names(comparison)) == {"default", "layerwise"}
    assert comparison.overrides == ("noc.link=256 bit",)
    plain = run_job(
        "digits", overrides=["noc.link=256 bit"], out=tmp_path / "run", trace="off"
    ).summary  # of a chip that is layerwise by itself
    layerwise = next(each for each in comparison.ranked if each.proposal.name == "layerwise")
    assert layerwise.figures.time_ps == plain.time.makespan_ps
    mapping = layerwise.proposal.chip.mapping
    assert (mapping.schedule, mapping.group) == ("layerwise", 2)


def test_a_layerwise_mapping_without_room_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the chip has no room for is named with the reason; the others are compared."""

    def no_room(*_: object) -> None:
        raise MappingError("mapping.state: no room")

    monkeypatch.setattr("tlm.studies.mapping_proposals.make_plan", no_room)
    request = replace(DIGITS, overrides=PIPELINED)
    comparison = compare_mappings(request, SearchTerms(simulate=0))
    assert names(comparison) == ["default"]
    assert comparison.unplaced == {"layerwise": "mapping.state: no room"}


def refuse_run(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the simulation of that number be refused, as engines without room do."""
    run_request, numbers = tlm.studies.mapping_search.run_request, count()

    def run(*arguments):
        if next(numbers) == number:
            raise MappingError("core.memory.spikes: no room")
        return run_request(*arguments)

    monkeypatch.setattr(tlm.studies.mapping_search, "run_request", run)


def test_a_mapping_of_the_search_that_cannot_run_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is named with the reason, its number is not given to another."""
    refuse_run(monkeypatch, 1)
    comparison = compare_mappings(DIGITS, SearchTerms(simulate=2))
    assert sorted(names(comparison)) == ["default", "estimate 2"]
    assert comparison.unplaced == {"estimate 1": "core.memory.spikes: no room"}


def test_a_default_that_cannot_run_ends_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing could be compared with it."""
    refuse_run(monkeypatch, 0)
    with pytest.raises(MappingError, match="no room"):
        compare_mappings(DIGITS, SearchTerms())


def test_the_users_files_are_simulated(tmp_path: Path) -> None:
    """The best of one search is known to the next: it never comes out worse, whatever it tries."""
    first = compare_mappings(DIGITS, SearchTerms(simulate=3))
    file = tmp_path / "mine.yaml"
    file.write_text(first.file_text())
    second = compare_mappings(DIGITS, SearchTerms(files=(str(file),), simulate=0))
    assert set(names(second)) == {"default", str(file)}
    assert second.best.figures == first.best.figures


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema: tlm-mapping\nschema_version: 2\n", "missing; add them"),
        ("[" * 2000, "bad.yaml:1: "),
        ("a: &x [1]\nb: *x\n", "anchor or alias"),
    ],
)
def test_a_hostile_file_is_refused_before_anything_is_simulated(
    tmp_path: Path, text: str, reason: str
) -> None:
    """One line that names the file."""
    (tmp_path / "bad.yaml").write_text(text)
    terms = SearchTerms(files=(str(tmp_path / "bad.yaml"),))
    with pytest.raises(MappingError, match=reason) as refusal:
        compare_mappings(
            DIGITS, terms, lambda text: pytest.fail(f"{text} before the file was read")
        )
    assert str(refusal.value).startswith(str(tmp_path / "bad.yaml"))
    assert "\n" not in str(refusal.value)


def test_the_same_inputs_give_the_same_bytes() -> None:
    """Without a budget no clock decides: order, figures and file are the same."""
    first, second = (compare_mappings(DIGITS, SearchTerms(simulate=2)) for _ in range(2))
    assert first.ranked == second.ranked
    assert first.file_text() == second.file_text()


def test_a_budget_of_nothing_leaves_the_known_mappings() -> None:
    """The default is simulated whatever the budget; a large one allows every mapping compared."""
    request = replace(DIGITS, overrides=("mapping.search_steps=6",))
    assert names(compare_mappings(request, SearchTerms(budget_s=0.0))) == ["default"]
    everything = compare_mappings(request, SearchTerms(budget_s=1e6))
    assert 2 < len(everything.ranked) <= 1 + everything.compared


@pytest.mark.parametrize("moment", ["comparing mappings by estimate", "simulating estimate 1"])
def test_an_interrupted_search_keeps_what_was_simulated(moment: str) -> None:
    """Ctrl-C in the search, or between two simulations: the best until then."""

    def interrupt(text):
        if text == moment:
            os.kill(os.getpid(), signal.SIGINT)
        return nullcontext()

    comparison = compare_mappings(DIGITS, SearchTerms(), interrupt)
    assert names(comparison) == ["default"]
    assert comparison.stopped_by == 130


def test_a_search_interrupted_at_once_has_nothing() -> None:
    """There is no mapping to return before one was simulated."""

    def interrupt(text):
        os.kill(os.getpid(), signal.SIGINT)
        return nullcontext()

    with pytest.raises(InterruptedRunError, match="nothing was written") as interruption:
        compare_mappings(DIGITS, SearchTerms(), interrupt)
    assert interruption.value.exit_code == 130


def test_an_invalid_run_ends_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are not compared with anything."""
    run_request = tlm.studies.mapping_search.run_request

    def invalid(*arguments):
        result = run_request(*arguments)
        return replace(result, summary=replace(result.summary, status="invalid"))

    monkeypatch.setattr(tlm.studies.mapping_search, "run_request", invalid)
    with pytest.raises(InvalidResultError, match="digits, default"):
        compare_mappings(DIGITS, SearchTerms())
