"""The project's own code as syntax trees: what the figures of the house are counted from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"tlm": ROOT / "tlm", "tlm_analysis": ROOT / "analysis" / "tlm_analysis"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A file of the project: its dotted name, its path below the root, its text."""

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def code_lines(self) -> int:
        """Lines that are neither blank nor a comment nor part of a docstring."""
        filled = sum(
            bool(line.strip()) and not line.lstrip().startswith("#")
            for line in self.text.splitlines()
        )
        return filled - sum(_filled_lines(node) for node in self._docstrings())

    def functions(self) -> Iterator[Function]:
        """All functions and methods."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def _docstrings(self) -> Iterator[ast.Constant]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Module | ast.ClassDef | Function) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    yield first.value


def modules() -> list[Module]:
    """Every module of both packages, in order of their paths."""
    files = []
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            name = ".".join(parts).removesuffix(".__init__")
            files.append(Module(name, path.relative_to(ROOT).as_posix(), path.read_text()))
    return files


def imports(module: Module, names: set[str]) -> set[str]:
    """The modules among ``names`` that a module imports, within functions too."""
    targets: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                targets.add(inner if inner in names else node.module)
    return targets & names - {module.name}


def _filled_lines(docstring: ast.Constant) -> int:
    return sum(bool(line.strip()) for line in str(docstring.value).splitlines())
