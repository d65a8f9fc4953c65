"""The limits that the house keeps: what a newcomer can rely on."""

import ast

import pytest

from tests.house.figures import (
    allow_lists,
    import_circle,
    many_parameters,
    pronouns,
    rooms,
    same_names,
)
from tests.house.source import Module, modules

# Each says why at its definition: a verb of the command line lists its options as parameters, and
# users call the others by keyword.
PUBLIC_KEYWORDS = {
    "tlm/notebook/finished.py:run",
    "tlm/running/runner.py:run_job",
    "tlm/workload/builder.py:conv",
    "tlm/workload/capture/capture.py:__init__",
    "tlm/workload/capture/capture.py:save",
    "tlm/workload/capture/declared.py:declare",
    "tlm/workload/surrogate.py:lif_neuron",
}


@pytest.fixture(scope="module")
def files() -> list[Module]:
    """All modules of both packages."""
    return modules()


def test_names_are_nouns(files: list[Module]) -> None:
    """Few names stand for another noun (`found`, `one`)."""
    assert pronouns(files) <= 10


def test_a_name_has_one_meaning(files: list[Module]) -> None:
    """Few classes share a name."""
    assert len(same_names(files)) <= 5


def test_functions_take_few_parameters(files: list[Module]) -> None:
    """More than six only where users call by keyword."""
    many = {place for place in many_parameters(files) if not place.startswith("tlm/cli/")}
    assert many <= PUBLIC_KEYWORDS


def test_no_import_circle(files: list[Module]) -> None:
    """Imports within functions and for types count too."""
    assert import_circle(files) == []


def test_every_room_has_an_allow_list(files: list[Module]) -> None:
    """But for the command line, which may import any room."""
    assert rooms(files) - allow_lists().keys() == {"tlm.cli", "tlm.__main__"}


def test_json_holds_no_nan(files: list[Module]) -> None:
    """Whatever writes JSON refuses what JSON does not know: NaN and Infinity."""
    lax = [
        f"{file.path}:{call.lineno}"
        for file in files
        for call in ast.walk(ast.parse(file.text))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("json.dumps", "json.dump")
        and not any(word.arg == "allow_nan" for word in call.keywords)
    ]
    assert not lax
