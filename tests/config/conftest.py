"""Fixtures that write chip files."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

WriteChip = Callable[[str], Path]


@pytest.fixture
def write_chip(tmp_path: Path) -> WriteChip:
    """Write a chip file ``my.yaml`` that extends the preset, with ``text`` in it."""

    def write(text: str) -> Path:
        path = tmp_path / "my.yaml"
        path.write_text(f"extends: neuromc-20\n{text}", encoding="utf-8")
        return path

    return write


def without_line(text: str, path: Path) -> str:
    """An error text that starts with a file, without the number of its line there."""
    return re.sub(rf"^{re.escape(str(path))}:\d+", str(path), text)
