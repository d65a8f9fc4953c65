"""The command of a measured program of ours."""

from __future__ import annotations

import sys


def child(name: str, *words: str, python: str = sys.executable) -> tuple[str, ...]:
    """Runs ``benchmarks.children.NAME`` with words behind it."""
    return (python, "-m", f"benchmarks.children.{name}", *words)
