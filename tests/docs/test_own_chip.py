"""The page "Describe your own chip": every file and command in it works as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks
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


@pytest.mark.parametrize(
    ("override", "refused"),
    [
        ("cores=7", True),  # of a mesh of 3 x 2
        ("core.clock=333 MHz", False),
        ("core.clock=3 GHz", True),
        ("dram.interleave=128 B", True),
        ("core.memory.weights=1 Kib", True),
        ("dram.latency=1 ns", True),
    ],
)
def test_what_the_page_says_is_refused_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, refused: bool
) -> None:
    """And only that: each claim about ``config check``, tried on the page's first chip."""
    _, first = next(steps())
    path = tmp_path / "six-cores.yaml"
    path.write_text(first, encoding="utf-8")
    assert main(["config", "check", str(path), "--set", override]) == (2 if refused else 0)
    assert capsys.readouterr().err.startswith(f"tlm: --set: {override.split('=')[0]}" * refused)


def test_pages_can_be_followed_in_one_folder() -> None:
    """No page writes another text to a file, or another run into a folder, of an earlier page."""
    owners: dict[str, str] = {}
    contents: dict[str, str] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.file:
                known = contents.setdefault(block.file, block.text)
                assert known == block.text or page == PAGE, f"{page.name}: {block.file}"
            for line in block.text.splitlines() if block.language == "sh" else ():
                for verb, out in re.findall(r"tlm (run|record) [^&|;]*--out (\S+)", line):
                    key = f"{verb} {out}"
                    assert key not in owners, f"{page.name} and {owners[key]}: {key}"
                    owners[key] = page.name
