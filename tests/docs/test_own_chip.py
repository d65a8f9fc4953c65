"""The page "Describe your own chip": every file and command in it works as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlm.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-chip.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str]]:
    """(language, text) of the page's blocks, in order."""
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield found[1], found[2]


def test_the_page_works_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are written, commands run, and an answer shown is the answer to the file before it."""
    monkeypatch.chdir(tmp_path)
    written = Path()
    commands = 0
    for language, text in steps():
        if language == "yaml":
            first, _, rest = text.partition("\n")
            written = Path(first.removeprefix("# file: "))
            written.write_text(rest, encoding="utf-8")
        elif language == "text":
            assert main(["config", "check", str(written)]) == 2
            assert capsys.readouterr().err.startswith(f"tlm: {text.strip()}")
        else:
            for line in text.strip().splitlines():
                words = shlex.split(line)
                assert words[:3] == ["python", "-m", "tlm"]
                assert main(words[3:]) == 0, line
                commands += 1
    assert commands >= 12


def test_own_tables_are_what_the_run_used(tmp_path: Path) -> None:
    """The last chip of the page takes its energies and areas from its own tables."""
    from tlm.config import load_chip

    for language, text in steps():
        if language == "yaml":
            first, _, rest = text.partition("\n")
            (tmp_path / first.removeprefix("# file: ")).write_text(rest, encoding="utf-8")
    loaded = load_chip(tmp_path / "mine.yaml")
    assert loaded.energy.pj("bp", "mac") == 0.62
    assert loaded.area.units["fp16_multiply"].area_um2 == 480
    assert loaded.area.density == 0.65
