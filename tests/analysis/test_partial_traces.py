"""A trace that covers a part of its run is never shown, walked or compared as the whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from tlm_analysis.findings.activity import ENGINE_KINDS, utilisation
from tlm_analysis.findings.compare import compare_runs
from tlm_analysis.findings.critical_path import critical_path
from tlm_analysis.findings.roofline import roofline
from tlm_analysis.findings.stalls import breakdown
from tlm_analysis.findings.traffic import dram_traffic
from tlm_analysis.plots import run_figures
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.run_dir import open_run_dir
from tlm_analysis.reading.windows import window_edges
from tlm_analysis.report import report_html

import tlm.trace
from tlm.cli import main
from tlm.errors import TraceError
from tlm.running.runner import RunResult, run_job
from tlm.trace import schema
from tlm.trace.limits import TraceLimits

WINDOW_PS = (10_000_000, 40_000_000)
WINDOW = "Only 10 us to 40 us were traced"
CUT = re.compile(r"The trace was cut short at [\d.]+ us: what follows is missing")
FROM_TRACE = ("stalls", "heatmap", "utilisation", "bandwidth", "latency")
OF_THE_RUN = ("mesh", "energy", "sparsity")


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job of ``digits_run``, a part of it traced."""
    folder = tmp_path_factory.mktemp("windowed") / "run"
    return run_job("digits", out=folder, limits=TraceLimits(window_ps=WINDOW_PS)).folder


@pytest.fixture(scope="module")
def cut(digits_run: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits_run`` with half of its rows committed, as a spent budget leaves it."""
    folder = shutil.copytree(digits_run.folder, tmp_path_factory.mktemp("cut") / "run")
    with h5py.File(folder / schema.FILE_NAME, "r+") as file:
        rows = [len(file[table]) // 2 for table in schema.TABLES]
        file["committed"][...] = schema.committed_values(rows, complete=False)
    return folder


def sections(page: str) -> dict[str, str]:
    """Text of each figure's section by its anchor."""
    parts = re.split(r'<section id="(\w+)-section">', page)[1:]
    return dict(zip(parts[::2], (text.split("</section>")[0] for text in parts[1::2]), strict=True))


def test_a_window_shows_what_the_whole_trace_shows_of_it(
    digits_run: RunResult, windowed: Path
) -> None:
    """States, engine time by layer and DRAM bytes of the window are those of the full trace."""
    with tlm.trace.open(digits_run.folder) as whole, tlm.trace.open(windowed) as part:
        assert coverage(whole).note == ""
        begin_ps, end_ps = WINDOW_PS
        assert coverage(part) == type(coverage(part))(begin_ps, end_ps, WINDOW)
        edges = window_edges(end_ps, 40, begin_ps)
        for kind in ENGINE_KINDS:
            first, second = utilisation(whole, kind, edges), utilisation(part, kind, edges)
            assert np.array_equal(first.time_ps, second.time_ps)
            assert not second.other_shares.any()
        moved = [dram_traffic(trace, edges, peak_gb_s=1e6) for trace in (whole, part)]
        assert np.array_equal(moved[0].read_nbytes, moved[1].read_nbytes)
        assert np.array_equal(moved[0].write_nbytes, moved[1].write_nbytes)
        full = breakdown(whole, end_ps, begin_ps)
        some = breakdown(part, end_ps, begin_ps)
        assert full.available_ps == some.available_ps
        assert np.array_equal(full.time_ps[full.time_ps.any(1)], some.time_ps[some.time_ps.any(1)])


@pytest.mark.parametrize(("which", "note"), [("windowed", re.compile(WINDOW)), ("cut", CUT)])
def test_plots_from_a_partial_trace_say_so(
    which: str, note: re.Pattern[str], request: pytest.FixtureRequest
) -> None:
    """Under every figure from the trace stands what it covers; energy is of the whole run."""
    figures = run_figures(request.getfixturevalue(which))
    notes = {name: figure.get_supxlabel() for name, figure in figures.items()}
    assert notes.pop("energy") == ""
    assert set(notes) == {"utilisation", "dram_bandwidth"}
    assert all(note.fullmatch(text) for text in notes.values())


def test_plots_of_a_whole_trace_carry_no_note(digits_run: RunResult) -> None:
    """Nothing is said where nothing is missing."""
    figures = run_figures(digits_run.folder).values()
    assert [figure.get_supxlabel() for figure in figures] == ["", "", ""]


def test_a_report_says_it_at_the_top_and_in_every_section(windowed: Path) -> None:
    """In caption and alternative text; what needs the whole run is left out."""
    page = report_html(windowed)
    assert WINDOW in page[: page.index("<main>")]
    found = sections(page)
    assert tuple(found) == FROM_TRACE + OF_THE_RUN
    assert {name for name, text in found.items() if WINDOW in text} == set(FROM_TRACE)
    for name in FROM_TRACE:
        picture, _, caption = found[name].partition("<figcaption>")
        assert caption.startswith(WINDOW)
        assert WINDOW in re.findall(r'aria-label="([^"]*)"', picture)[0]


def test_a_comparison_does_not_take_a_partial_path_apart(
    digits_run: RunResult, windowed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The time is one part, still the exact difference; energy has its parts; it says why."""
    found = compare_runs(digits_run.folder, windowed)
    makespan_ps = digits_run.summary.time.makespan_ps
    assert [(one.key, one.before, one.after) for one in found.time] == [
        (("all", "not traced"), makespan_ps, makespan_ps)
    ]
    assert found.partial == (f"{windowed}: {WINDOW}",) and len(found.energy) > 10
    assert main(["compare", str(digits_run.folder), str(windowed)]) == 0
    assert "critical paths need whole traces" in capsys.readouterr().out


def test_what_needs_a_whole_trace_refuses_a_part(digits_run: RunResult, windowed: Path) -> None:
    """Called directly, critical path and roofline say what they need."""
    with tlm.trace.open(windowed) as trace:
        with pytest.raises(TraceError, match="a critical path needs the trace of a whole run"):
            critical_path(trace)
        with pytest.raises(TraceError, match="a roofline needs the trace of a whole run"):
            roofline(trace, open_run_dir(digits_run.folder).summary, digits_run.chip.config)


def test_an_explanation_leaves_the_path_out(
    windowed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What relief gains is simulated, and stands; exports say what is missing."""
    assert main(["explain", str(windowed), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["critical_path"] is None and found["partial_trace"] == WINDOW
    assert len(found["what_if"]) > 5
    assert main(["export", str(windowed), "--csv"]) == 0
    assert "a trace of a window, what lies outside is missing" in capsys.readouterr().err
