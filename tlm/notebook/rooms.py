"""Borrowing ``analysis`` in a process that is the user's.

A notebook may have an ``analysis`` of its own, loaded already or a file beside it. So ours stands
in ``sys.modules`` only while a function of ours runs, and theirs is back when it returns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from tlm.cli.composition import load_analysis

_ours: dict[str, ModuleType] = {}  # loaded once: a second copy would have classes of its own


@contextmanager
def analysis_module(name: str) -> Iterator[ModuleType]:
    """Give a module of the ``analysis`` package beside ``tlm``, such as ``analysis.plots``."""
    theirs = _take_out()
    sys.modules.update(_ours)
    try:
        load_analysis()
        yield import_module(name)
    finally:
        _ours.update(_take_out())
        sys.modules.update(theirs)


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "analysis"]
    return {name: sys.modules.pop(name) for name in names}
