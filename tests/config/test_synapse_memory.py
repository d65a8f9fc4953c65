"""Tables of synapse memories: read, or refused in a line."""

from pathlib import Path

import pytest

from tlm.config.tables.synapse_memory import (
    FOLDER,
    load_synapse_memory,
    synapse_memory_tables,
)
from tlm.errors import ConfigError

TEXT = (FOLDER / "memory-organisation.yaml").read_text(encoding="utf-8")


def test_the_table_that_ships() -> None:
    """By its name, and nothing else needed."""
    assert synapse_memory_tables() == ["memory-organisation"]
    table = load_synapse_memory()
    assert table.sram.read.column == 0.014
    assert table.controller.clock == 300_000_000


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("column: 0.014 pJ", "column: 0.014", "sram.read.column: expected an energy with its unit"),
        ("rows: 512", "rows: 0", "sram.shapes.1.rows: expected 1 or more, got 0"),
        ("clock: 300 MHz", "clocks: 300 MHz", "controller.clock: missing; add it"),
        ("fixed: 75.4 ps", "fixed: -1 ps", "sram.access.fixed: expected a time of zero or more"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, line: str) -> None:
    """File and key, and what was expected."""
    assert TEXT.count(old) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_synapse_memory(path)
    assert line in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_table_may_extend_the_one_that_ships(tmp_path: Path) -> None:
    """Only what is other is written."""
    path = tmp_path / "fast.yaml"
    path.write_text(
        "extends: memory-organisation\nname: fast\n"
        "controller: {clock: 1 GHz, cycle: 0.03 pJ, source: mine, confidence: assumed}\n",
        encoding="utf-8",
    )
    table = load_synapse_memory(path)
    assert (table.name, table.controller.clock) == ("fast", 10**9)
    assert table.sram == load_synapse_memory().sram


def test_an_unknown_name_is_refused() -> None:
    """With the nearest that ships."""
    with pytest.raises(ConfigError, match=r"memory-organization.*did you mean"):
        load_synapse_memory("memory-organization")
