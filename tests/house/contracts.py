"""The allow-list contract of import-linter: a room may import only what is named, at any depth.

Named as ``may_import_only`` in ``pyproject.toml``. Rooms are packages or modules; what a room
imports of itself, of the standard library and of other projects is not its matter. Imports within
functions and for types alone count.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class MayImportOnly(Contract):
    """``room`` imports nothing of ``root_packages`` beside ``allowed`` packages and modules."""

    room = fields.StringField()
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every import that leaves the room for a place that is not allowed."""
        allowed = (self.room, *self.allowed)
        modules = {self.room} | graph.find_descendants(self.room)
        illegal = sorted(
            (importer, imported)
            for importer in modules
            for imported in graph.find_modules_directly_imported_by(importer)
            if not any(imported == place or imported.startswith(f"{place}.") for place in allowed)
        )
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """A line for each import that is not allowed."""
        for importer, imported in check.metadata["illegal"]:
            output.print_error(f"{importer} imports {imported}")
