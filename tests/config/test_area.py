"""Area tables: complete, with a source for every number, and open to tables of one's own."""

from pathlib import Path

import pytest

from tests.config.conftest import without_line
from tlm.config.tables.area import REQUIRED_UNITS, area_tables, load_area
from tlm.errors import ConfigError

ADDER = '  fp16_add: {area: 400 um2, source: "own synthesis", confidence: derived}\n'


def table_file(tmp_path: Path, text: str) -> Path:
    """An area table of one's own with this text."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", area_tables())
def test_every_unit_has_an_area_and_a_source(name: str) -> None:
    """Each table that ships covers what the model places."""
    table = load_area(name)
    assert set(table.units) == set(REQUIRED_UNITS)
    assert all(unit.source and unit.area_um2 > 0 for unit in table.units.values())


def test_a_table_may_extend_one(tmp_path: Path) -> None:
    """Only the units that differ are written down."""
    table = load_area(table_file(tmp_path, f"extends: logic28\nname: mine\nunits:\n{ADDER}"))
    assert table.name == "mine"
    assert table.units["fp16_add"].area_um2 == 400
    assert table.units["mux"] == load_area("logic28").units["mux"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            ADDER.replace("fp16_add", "fp16_ad"),
            'units.fp16_ad: unknown unit; did you mean "fp16_add"',
        ),
        (
            ADDER.replace("400 um2", "400"),
            "units.fp16_add.area: expected an area with its unit (such as",
        ),
        (
            ADDER.replace("um2", "mm"),
            "units.fp16_add.area: expected an area with its unit (such as",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    """The line names the file, the unit and what was expected."""
    path = table_file(tmp_path, f"extends: logic28\nunits:\n{text}")
    with pytest.raises(ConfigError) as caught:
        load_area(path)
    assert without_line(str(caught.value), path).startswith(f"{path}: {line}")


def test_a_missing_unit_is_named(tmp_path: Path) -> None:
    """A table that extends none must hold them all."""
    shipped = load_area("logic28").path.read_text(encoding="utf-8")
    lines = [line for line in shipped.splitlines() if "queue_bit" not in line]
    with pytest.raises(ConfigError, match="missing area of unit queue_bit in"):
        load_area(table_file(tmp_path, "\n".join(lines)))


def test_a_table_extends_only_what_ships(tmp_path: Path) -> None:
    """The hint names the tables there are."""
    with pytest.raises(ConfigError, match=r'extends: no table "logic82"; did you mean "logic28"'):
        load_area(table_file(tmp_path, "extends: logic82\n"))
