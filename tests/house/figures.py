"""Figures of the house: ``python -m tests.house.figures``; the limits are held by ``test_house``.

With names behind it, the files and functions in which these names stand are listed instead:
``python -m tests.house.figures dY``.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from statistics import median

from tests.house.source import ROOT, Function, Module, imports, modules

PRONOUNS = frozenset({"one", "ones", "found", "some", "own", "made", "again"})
MOST_PARAMETERS = 6
MOST_LINES = 300


def pronouns(files: Iterable[Module]) -> float:
    """Names that stand in the place of a noun, per 1,000 lines of code."""
    files = list(files)
    names = sum(
        token.type == tokenize.NAME and token.string in PRONOUNS
        for module in files
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
    )
    return 1000 * names / sum(module.code_lines for module in files)


def same_names(files: Iterable[Module]) -> dict[str, list[str]]:
    """Classes and type aliases that are defined in more than one module."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in files:
        for node in module.tree.body:
            for name in _defined(node):
                places[name].append(module.path)
    return {name: paths for name, paths in sorted(places.items()) if len(paths) > 1}


def _defined(node: ast.stmt) -> list[str]:
    """The class or alias (a capitalised name that is no constant) that a statement defines."""
    if isinstance(node, ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if name[0].isupper() and not name.isupper()]


def parameters(function: Function) -> int:
    """How many parameters a function has, ``self`` and ``cls`` left out."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in named)


def many_parameters(files: Iterable[Module]) -> dict[str, int]:
    """Functions of more than six parameters, by ``path:name``."""
    return {
        f"{module.path}:{function.name}": parameters(function)
        for module in files
        for function in module.functions()
        if parameters(function) > MOST_PARAMETERS
    }


def import_circle(files: Iterable[Module]) -> list[str]:
    """Modules that import each other in a circle; nothing if there is none."""
    files = list(files)
    names = {module.name for module in files}
    # A package imports its modules to pass their names on; who imports the package means those.
    graph = {module.name: imports(module, names) for module in files}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(files: Iterable[Module]) -> set[str]:
    """The rooms: packages and modules right below ``tlm``, and ``tlm_analysis``."""
    parts = [module.name.split(".") for module in files]
    return {".".join(name[:2]) if name[0] == "tlm" else name[0] for name in parts} - {"tlm"}


def allow_lists() -> dict[str, list[str]]:
    """What each room may import, as ``pyproject.toml`` says."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    return {
        contract["room"]: contract["allowed"]
        for contract in contracts
        if contract["type"] == "may_import_only"
    }


def places(files: Iterable[Module], names: frozenset[str]) -> tuple[list[str], list[str]]:
    """Files in which any of ``names`` is a name of the code, and the functions in them."""
    paths, functions = [], []
    for module in files:
        if _mentions(module.tree, names):
            paths.append(module.path)
            functions += [
                f"{module.path}:{function.name}"
                for function in module.functions()
                if _mentions(function, names)
            ]
    return paths, functions


def _mentions(tree: ast.AST, names: frozenset[str]) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                if name in names:
                    return True
            case ast.keyword(arg=str(name)) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if name in names:
                    return True
    return False


def report(files: list[Module]) -> list[str]:
    """All figures, a line each."""
    sizes = {module.path: len(module.text.splitlines()) for module in files}
    lengths = {
        f"{module.path}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in files
        for function in module.functions()
    }
    longest, largest = max(lengths, key=lengths.__getitem__), max(sizes, key=sizes.__getitem__)
    many, same, circle = many_parameters(files), same_names(files), import_circle(files)
    return [
        f"files                     {len(sizes)}, {sum(sizes.values()):,} lines",
        f"lines per file            median {median(sizes.values()):.0f}, most {sizes[largest]} "
        f"({largest}), above {MOST_LINES}: {sum(n > MOST_LINES for n in sizes.values())}",
        f"lines per function        median {median(lengths.values()):.0f}, most "
        f"{lengths[longest]} ({longest}), above 50: {sum(n > 50 for n in lengths.values())}",
        f"more than {MOST_PARAMETERS} parameters    {len(many)}",
        *(f"    {count} {place}" for place, count in many.items()),
        f"names like pronouns       {pronouns(files):.1f} per 1,000 lines of code",
        f"classes of one name       {len(same)}",
        *(f"    {name}: {', '.join(paths)}" for name, paths in same.items()),
        f"import circles            {' -> '.join(circle) or 'none'}",
        f"contracts as allow-lists  {len(allow_lists())}, rooms without: "
        + (", ".join(sorted(rooms(files) - allow_lists().keys())) or "none"),
    ]


def main(names: list[str]) -> None:
    """Print the figures, or where some names stand."""
    files = modules()
    if not names:
        print("\n".join(report(files)))
        return
    paths, functions = places(files, frozenset(names))
    print("\n".join(paths))
    print(f"{len(paths)} files, {len(functions)} functions")


if __name__ == "__main__":
    main(sys.argv[1:])
