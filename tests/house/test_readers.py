"""Files of unknown origin pass through guarded readers: no other parser, nothing that runs text."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.source import Module, modules

# What may be called, and in which files alone. Each runs a text, or reads one without bounds.
PLACES: dict[str, set[str]] = {
    "ruamel.yaml.YAML": {"tlm/config/yaml_file.py", "tlm/config/yaml_text.py"},
    "yaml.load": set(),
    "json.load": set(),
    "json.loads": {"tlm/files.py", "tlm/workload/network_file.py"},
    "runpy": {"tlm/workload/own_code.py", "tlm/workload/training/record.py"},
    "importlib.util": {
        "tlm/cli/doctor.py",
        "tlm/compiled/sources.py",
        "tlm/workload/training/datasets/mnist.py",
    },
    "pickle": set(),
    "marshal": set(),
    "shelve": set(),
    "subprocess": set(),
    "os.system": set(),
    "eval": set(),
    "exec": set(),
    "compile": set(),
    "__import__": set(),
}


def used(module: Module) -> Iterator[str]:
    """Names of modules imported, and of functions called as they are written."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("name", PLACES)
def test_a_dangerous_word_stands_in_its_places_only(name: str) -> None:
    """As a module, a part of one, or a call."""
    places = {
        module.path
        for module in modules()
        if any(word == name or word.startswith(f"{name}.") for word in used(module))
    }
    assert places <= PLACES[name]
