"""The fenced blocks of README and documentation, and what a comment before one says of it.

<!-- not run: REASON -->   shown, not run
<!-- needs: MODULE -->     run where the module is installed
<!-- slow -->              run under the marker slow only, with all later blocks of its page
<!-- file: NAME -->        not run, but written to NAME for the commands that follow
<!-- printed -->           every line is one that the block before it printed
<!-- command: NAME -->     a command that CI takes from the README by its name
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OWN_TEST = ("own-chip",)  # shows refusals too, which are no commands that succeed
_BLOCK = re.compile(r"((?:^<!-- .* -->\n)*)^```(\w+)\n((?:.*\n)*?)```$", re.MULTILINE)
_FILE = "# file: "
_MARK = re.compile(r"<!-- ([\w ]+?)(?:: (.*))? -->")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, and marks with their values."""

    language: str
    text: str
    marks: dict[str, str]

    @property
    def file(self) -> str:
        """Name of the file that the block is; empty if it is none."""
        first = self.text.partition("\n")[0]
        return first.removeprefix(_FILE) if first.startswith(_FILE) else ""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order; indented ones are prose."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(language, text, dict(_MARK.findall(marks))) for marks, language, text in found]
