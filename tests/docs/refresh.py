"""Brings the documentation up to the present model: ``python -m tests.docs.refresh``.

Rewrites every block marked ``printed`` with what its page's commands print now, and the pictures of
the tour. Look at the difference before committing it: the prose around may have to follow.
"""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path

from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.test_commands import RUN, installed, run, shown
from tlm.running.runner import run_job

PICTURES = ("utilisation", "energy")


def refresh(page: Path, folder: Path) -> None:
    """Replace the lines of printed blocks by the nearest lines that the block before prints now."""
    printed: list[str] = []
    for block in shown(page):
        if "not run" in block.marks or "slow" in block.marks or not installed(block):
            continue
        if block.file:
            (folder / block.file).write_text(block.text)
        elif "printed" in block.marks:
            lines = [nearest(line, printed) for line in block.text.splitlines()]
            text = page.read_text(encoding="utf-8")
            now = text.replace(fenced(block.text), fenced("\n".join(lines) + "\n"))
            page.write_text(now, encoding="utf-8")
        elif block.language in RUN:
            printed = run(block, folder).splitlines()


def fenced(text: str) -> str:
    """A block's text with its fence, so that no part of another block is meant."""
    return f"```text\n{text}```"


def nearest(line: str, printed: list[str]) -> str:
    """The printed line most like ``line``."""
    return max(printed, key=lambda other: difflib.SequenceMatcher(None, line, other).ratio())


def draw(folder: Path) -> None:
    """The pictures of the tour."""
    from tlm_analysis.plots import png, run_figures

    figures = run_figures(run_job("mnist-csnn", out=folder / "tour").folder)
    for name in PICTURES:
        (ROOT / "docs" / "figures" / f"tour-{name}.png").write_bytes(png(figures[name]))


if __name__ == "__main__":
    for page in PAGES:
        if any("printed" in block.marks for block in blocks(page)):
            with tempfile.TemporaryDirectory() as place:
                refresh(page, Path(place))
    with tempfile.TemporaryDirectory() as place:
        draw(Path(place))
