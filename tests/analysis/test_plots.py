from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib.image
import pytest
from tlm_analysis.findings.activity import ENGINE_KINDS, utilisation
from tlm_analysis.plots import plot_run
from tlm_analysis.plots.utilisation import utilisation_figure
from tlm_analysis.reading.coverage import makespan_ps
from tlm_analysis.reading.windows import window_edges

from tlm.errors import TraceError
from tlm.trace import open as open_trace


@pytest.fixture(scope="module")
def drawn(run_dir: Path) -> list[Path]:
    return plot_run(run_dir)


def test_three_figures_as_png_and_svg(drawn: list[Path], run_dir: Path) -> None:
    """Every figure is written in both formats into the run's plots folder, 1280 x 800."""
    assert {path.name for path in drawn} == {
        f"{name}.{kind}"
        for name in ("utilisation", "dram_bandwidth", "energy")
        for kind in ("png", "svg")
    }
    for path in drawn:
        assert path.parent == run_dir / "plots"
        if path.suffix == ".png":
            assert matplotlib.image.imread(path).shape[:2] == (800, 1280)


def test_equal_runs_give_equal_pictures(drawn: list[Path], run_dir: Path, tmp_path: Path) -> None:
    """No date, version or random name gets into a picture: the bytes are equal."""
    for name in ("trace.h5", "energy.csv", "summary.json"):
        shutil.copy(run_dir / name, tmp_path)
    for first, second in zip(drawn, plot_run(tmp_path), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_the_stack_ends_at_the_whole_time(run_dir: Path) -> None:
    """Each panel's states reach 100 % in every window, and no part is shown as not recorded."""
    with open_trace(run_dir) as trace:
        edges = window_edges(makespan_ps(trace), 50)
        figure = utilisation_figure([utilisation(trace, kind, edges) for kind in ENGINE_KINDS])
    for axes in figure.axes:
        assert axes.patches[-1].get_data().values == pytest.approx(1.0)
        assert "not recorded" not in axes.get_legend_handles_labels()[1]


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        (None, "summary.json: no such file"),
        ("{}", "summary.json: expected JSON of schema"),
        ('{"schema": "tlm-summary"}', "summary.json: status: Field required"),
        ("{'dram'", "summary.json: not readable as JSON"),
    ],
)
def test_a_run_without_a_peak_is_refused(
    run_dir: Path, tmp_path: Path, summary: str | None, message: str
) -> None:
    """The bandwidth figure needs its peak from the summary; the line says where."""
    for name in ("trace.h5", "energy.csv"):
        shutil.copy(run_dir / name, tmp_path)
    if summary is not None:
        (tmp_path / "summary.json").write_text(summary)
    with pytest.raises(TraceError, match=message):
        plot_run(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """A wrong folder is one line, not a traceback."""
    with pytest.raises(TraceError, match="give the folder of a finished run"):
        plot_run(tmp_path)
