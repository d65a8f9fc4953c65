"""What README and documentation tell a reader to type does what they say."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import OWN_TEST, PAGES, ROOT, Block, blocks
from tlm.cli import app, main

RUN = ("sh", "python")
BEGUN: dict[str, tuple[Path, str]] = {}  # what blocks left in an empty folder, and printed
CALL = re.compile(r"python -m tlm [^|&;<>$`*?()\\]*")


def shown(page: Path) -> list[Block]:
    """Blocks that are run, written or compared."""
    return [block for block in blocks(page) if block.language in RUN or block.marks or block.file]


def is_slow(page: Path) -> bool:
    return any("slow" in block.marks for block in blocks(page))


CASES = [
    pytest.param(page, slow, id=page.stem, marks=[pytest.mark.slow] if slow else [])
    for page in PAGES
    for slow in (False, True)
    if (is_slow(page) or not slow)
    and page.stem not in OWN_TEST
    and any(block.language in RUN for block in blocks(page))
]


@pytest.mark.parametrize(("page", "slow"), CASES)
def test_a_page_does_what_it_says(page: Path, slow: bool, tmp_path: Path) -> None:
    """All blocks of a page, one after the other in an empty folder, end with exit code 0."""
    printed = ""
    for block in shown(page):
        if "not run" in block.marks or not installed(block) or ("slow" in block.marks and not slow):
            continue
        if block.file:
            (tmp_path / block.file).write_text(block.text)
        elif "printed" in block.marks:
            assert set(block.text.splitlines()) <= set(printed.splitlines()), printed
        elif block.language in RUN:
            printed = run(block, tmp_path) if any(tmp_path.iterdir()) else first(block, tmp_path)


def first(block: Block, folder: Path) -> str:
    """Run a block in an empty folder; if another page has done the same, take what that left."""
    text = without_installation(block).strip()
    if text in BEGUN:
        left, printed = BEGUN[text]
        shutil.copytree(left, folder, dirs_exist_ok=True)
    else:
        printed = run(block, folder)
        left = Path(tempfile.mkdtemp(dir=folder.parent))
        BEGUN[text] = (shutil.copytree(folder, left, dirs_exist_ok=True), printed)
    return printed


def installed(block: Block) -> bool:
    """Whether what the block needs is there; a page may go on without it."""
    return "needs" not in block.marks or find_spec(block.marks["needs"]) is not None


def run(block: Block, folder: Path) -> str:
    """Run a block; what it printed.

    Lines that only call the command line are run in this process, which has its modules loaded: it
    saves a third of the time. Those that CI takes by name are run as a reader would.
    """
    text = without_installation(block)
    if block.language == "python":
        return executed(text, folder)
    lines = re.split(r"\n| && ", text.strip())
    if "command" not in block.marks and all(CALL.fullmatch(line) for line in lines):
        return "".join(called(shlex.split(line)[3:], folder) for line in lines)
    return in_shell(text, folder)


def executed(text: str, folder: Path) -> str:
    """Run a script in names of its own; what it printed."""
    out = io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out):
        exec(compile(text, "<page>", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def called(words: list[str], folder: Path) -> str:
    """Call the command line; what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    assert code == 0, f"{words}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue()


def in_shell(text: str, folder: Path) -> str:
    """Run a script in bash with this Python's environment; what it printed."""
    words = ["bash", "-euo", "pipefail", "-c", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": f"{ROOT}:{ROOT}/analysis",
        "MPLBACKEND": "Agg",
    }
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def without_installation(block: Block) -> str:
    """A named command without the steps that make an environment; that of the tests is not run."""
    if "command" not in block.marks:
        return block.text
    steps = block.text.strip().split(" && ")
    return " && ".join(step for step in steps if step.startswith("python -m tlm")) or "true"


def verbs() -> set[str]:
    """Every verb of the command line."""
    commands = {one.name or one.callback.__name__ for one in app.registered_commands}  # type: ignore[union-attr]
    return commands | {str(group.name) for group in app.registered_groups}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_verb_named_exists(page: Path) -> None:
    """No page names a command that is gone."""
    named = set(re.findall(r"python -m tlm ([a-z]+)", page.read_text()))
    assert named <= verbs()


def test_the_guide_names_every_verb() -> None:
    """A command without a place in the user's guide is not found by its users."""
    named = set(re.findall(r"python -m tlm ([a-z]+)", (ROOT / "docs" / "guide.md").read_text()))
    assert named == verbs()
