"""Files and modules that a page names are there."""

import re
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.docs.pages import ROOT

PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "traces").rglob("*.md")),
    ROOT / "workloads" / "README.md",
]
ROOMS = r"(?:tlm|analysis|tests|workloads|traces|docs|benchmarks)"
PATH = re.compile(rf"(?<![\w/.-]){ROOMS}/[\w./*-]*\w")
DOTTED = re.compile(r"(?<![\w/.-])(?:tlm|tlm_analysis|tests)(?:\.[a-z_]\w*)+")
HISTORY = "CHANGELOG.md"  # tells of what is no longer there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_is_there(page) -> None:
    """A path, or a pattern that matches something."""
    if page.name == HISTORY:
        return
    missing = [path for path in PATH.findall(page.read_text()) if not list(ROOT.glob(path))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_is_there(page) -> None:
    """A dotted name begins with a module of ours."""
    if page.name == HISTORY:
        return
    missing = [name for name in set(DOTTED.findall(page.read_text())) if not any(_known(name))]
    assert missing == []


def _known(name: str) -> Iterator[bool]:
    """Whether the name, or the name without its last part, is a module (or in ``tlm`` itself)."""
    parent = name.rpartition(".")[0]
    for module in (name, parent):
        try:
            yield find_spec(module) is not None
        except ModuleNotFoundError:
            yield False
