"""The report: whole, quiet, escaped, and the same for the same run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tlm_analysis.report import report_html

from tests.analysis.large_run import large_run
from tlm.cli import main
from tlm.errors import TraceError
from tlm.running.runner import RunResult, run_job

CHROMIUM = shutil.which("chromium")


class Page(HTMLParser):
    """Ids, references and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.images: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        for name in ("href", "xlink:href", "src", "srcset", "data", "action"):
            if name in found:
                self.references.append(str(found[name]))
        if found.get("role") == "img":
            self.images.append(found.get("aria-label"))


@pytest.fixture(scope="module")
def html(digits_run: RunResult) -> str:
    return report_html(digits_run.folder)


def test_nothing_is_fetched(html: str) -> None:
    """No address of another machine stands anywhere, and links lead into the page or are data."""
    page = Page(html)
    assert not re.search(r"https?://|//\w", re.sub(r"base64,[\w+/=\s]+", "", html))
    assert all(link.startswith(("#", "data:")) for link in page.references)
    assert "@import" not in html and "<script" not in html


def test_a_run_without_a_trace_is_reported_as_far_as_it_can_be(tmp_path: Path) -> None:
    """Network, energy and sparsity need none; the page says what the others need."""
    run = run_job("digits", out=tmp_path / "run", trace="off")
    html = report_html(run.folder)
    assert len(Page(html).images) == 3
    assert "The run was traced at level off: all figures over time need --trace phase" in html


def test_every_figure_is_there_and_has_words(html: str) -> None:
    """Each figure has an alternative text, and every id is its own."""
    page = Page(html)
    sections = ("critical", "stalls", "heatmap", "utilisation", "bandwidth", "roofline", "latency",
                "mesh", "energy", "sparsity")  # fmt: skip
    assert [one for one in page.ids if one.endswith("-section")] == [
        f"{s}-section" for s in sections
    ]
    assert len(page.images) == len(sections) and all(page.images)
    assert len(set(page.ids)) == len(page.ids)
    inside = {link[1:] for link in page.references if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {"gpu", "assumptions"} <= set(page.ids)


def test_hatches_and_clips_find_their_definitions(html: str) -> None:
    """What figures refer to by url(#...) exists under that name."""
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(Page(html).ids)


def test_equal_runs_give_equal_pages(digits_run: RunResult, html: str, tmp_path: Path) -> None:
    """The command leaves report.html in the run's folder; nothing that varies gets into it."""
    folder = tmp_path / "run"
    shutil.copytree(digits_run.folder, folder)
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text() == html
    assert html.startswith("<!DOCTYPE html>")


def test_names_are_escaped_and_an_invalid_run_says_so(
    digits_run: RunResult, tmp_path: Path
) -> None:
    """A name that looks like markup is shown, not obeyed; a broken law stands at the top.

    The GPU is left out where the job is not the run's own.
    """
    folder = tmp_path / "run"
    shutil.copytree(digits_run.folder, folder)
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    evil = "<img src=x onerror=alert(1)>"
    summary["workload"] |= {"name": evil, "sha256": "0"}
    summary["work"] = {evil: next(iter(summary["work"].values()))}
    summary |= {"status": "invalid", "broken": {"bytes read": "DMAs 1 B, channels 2 B"}}
    path.write_text(json.dumps(summary))
    text = report_html(folder)
    assert evil not in text and "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "INVALID: do not use these figures" in text
    assert "bytes read: DMAs 1 B, channels 2 B" in text
    assert "not the one this run was of" in text


def test_a_run_without_transactions_has_fewer_figures(tmp_path: Path) -> None:
    """At trace level phase the page says what is missing and why."""
    run = run_job("digits", out=tmp_path / "run", trace="phase")
    page = report_html(run.folder)
    assert "bandwidth, roofline and latency need --trace transaction" in page
    assert "latency-section" not in Page(page).ids


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """One line, not a traceback."""
    with pytest.raises(TraceError, match="give the folder of a finished run"):
        report_html(tmp_path)


def test_a_trace_of_many_transactions(digits_run: RunResult, tmp_path: Path) -> None:
    """The reduced form of the one below."""
    assert "latency-section" in report_html(large_run(digits_run, tmp_path / "run", 50_000))


@pytest.mark.slow
def test_five_million_transactions_in_two_gigabytes(digits_run: RunResult, tmp_path: Path) -> None:
    """Opened, plotted and reported in 30 s of processor time and 2 GB."""
    folder = large_run(digits_run, tmp_path / "run", 5_000_000)
    code = (
        "import resource, sys; from tlm.cli import main\n"
        "assert main(['plot', sys.argv[1]]) == 0 and main(['report', sys.argv[1]]) == 0\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    seconds, gigabytes = map(float, done.stdout.split()[-2:])
    assert seconds < 30 and gigabytes < 2


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_has_nothing_to_complain_about(html: str, tmp_path: Path) -> None:
    """Headless Chromium draws the page, prints it, and logs no console message."""
    page = tmp_path / "report.html"
    page.write_text(html)
    base = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    for option, name in (("--screenshot", "page.png"), ("--print-to-pdf", "page.pdf")):
        target = tmp_path / name
        command = [*base, "--window-size=1280,800", f"{option}={target}", f"file://{page}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        assert "CONSOLE" not in done.stderr
        assert target.stat().st_size > 10_000
