"""The documentation site builds without a warning; links between files lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import Build
from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
READ_ON_ITS_OWN = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "workloads" / "README.md",
    ROOT / "traces" / "README.md",
]


def test_the_site_builds_without_a_warning(build: Build | None) -> None:
    """Sphinx finds every page, link and anchor, and every cell of the notebook runs."""
    if build is None:
        pytest.skip("needs the extra 'docs'")
    assert build.process.wait() == 0, build.complaints.read_text()
    tour = (build.site / "tour.html").read_text()
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
