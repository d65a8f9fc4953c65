"""Finding and reading a table: one that ships, by its name, or a file, which may extend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tlm.config.problems import did_you_mean
from tlm.config.yaml_file import read_mapping
from tlm.errors import ConfigError

Confidence = Literal["published", "derived", "assumed"]  # in a figure, beside its source


def table_names(folder: Path) -> list[str]:
    """Names of the tables that ship in ``folder``, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


@dataclass(frozen=True)
class TableFile:
    """The content of a table, over that of the table that it ``extends``.

    ``where`` names the table in error texts.
    """

    path: Path
    where: str
    data: dict[str, object]


def read_table(folder: Path, name_or_path: str | Path, kind: str, asked_by: str) -> TableFile:
    """Read the table of that name in ``folder``, or the file of that path.

    ``kind`` says what it is (such as ``energy table``), and ``asked_by`` which key or option
    names it; both stand in error texts.

    Raises:
        ConfigError: there is neither, the file cannot be read, or it extends what does not ship.
    """
    names = table_names(folder)
    if str(name_or_path) in names:
        path = folder / f"{name_or_path}.yaml"
    else:
        path = Path(name_or_path)
    if not path.is_file():
        hint = did_you_mean(str(name_or_path), names)
        raise ConfigError(f'{asked_by}: no {kind} or file "{name_or_path}"{hint}')
    where = f"{kind} {name_or_path}" if path.parent == folder else str(path)
    data = read_mapping(path, where)
    base = data.pop("extends", None)
    if base is None:
        return TableFile(path, where, data)
    if base not in names:
        raise ConfigError(f'{where}: extends: no table "{base}"{did_you_mean(str(base), names)}')
    below = read_mapping(folder / f"{base}.yaml", str(base))
    return TableFile(path, where, _merged(below, data))


def _merged(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    """Groups of entries are merged; an entry, which has a source, replaces the other whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "source" not in value:
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged
