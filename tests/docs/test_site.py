"""The documentation site builds without a warning; links between files lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
READ_ON_ITS_OWN = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "workloads" / "README.md",
    ROOT / "traces" / "README.md",
]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Sphinx finds every page, link and anchor, and every cell of the notebook runs."""
    for module in ("sphinx", "myst_nb", "furo", "pandas"):
        pytest.importorskip(module, reason="needs the extra 'docs'")
    words = ["-W", "--keep-going", "-q", "-d", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(ROOT / "docs"), str(tmp_path / "site")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tour = (tmp_path / "site" / "tour.html").read_text()
    assert tour.count('class="tlm-run"') == 1  # the page of the run, once,
    assert "checks hold\nmnist-csnn" not in tour  # and not its screen as well
    assert "<img" in tour


@pytest.mark.parametrize("page", [*PAGES, *READ_ON_ITS_OWN], ids=lambda page: page.stem)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    """Each relative link names a file that is there, and a heading that the file has."""
    for name, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        assert target.exists(), name
        if heading:
            assert heading in headings(target), f"{name}#{heading}"


def headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
