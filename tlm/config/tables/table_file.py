"""Finding and reading a table: one that ships, by its name, or a file, which may extend it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tlm.config.problems import did_you_mean
from tlm.config.yaml_file import read_mapping
from tlm.errors import ConfigError

Confidence = Literal["published", "derived", "assumed"]  # in a figure, beside its source


def table_names(folder: Path) -> list[str]:
    """Names of the tables that ship in ``folder``, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_table(folder: Path, name_or_path: str | Path, what: str, asked_by: str) -> Path:
    """The file of a table that ships, or of one's own.

    Raises:
        ConfigError: there is neither; ``what`` names the kind of table, ``asked_by`` the key.
    """
    names = table_names(folder)
    if str(name_or_path) in names:
        return folder / f"{name_or_path}.yaml"
    path = Path(name_or_path)
    if not path.is_file():
        hint = did_you_mean(str(name_or_path), names)
        raise ConfigError(f'{asked_by}: no {what} or file "{name_or_path}"{hint}')
    return path


def read_table(folder: Path, path: Path, where: str) -> dict[str, object]:
    """The content of a table, over that of the shipped one that it ``extends``.

    Raises:
        ConfigError: the file cannot be read, or extends what does not ship.
    """
    data = read_mapping(path, where)
    base = data.pop("extends", None)
    if base is None:
        return data
    if base not in table_names(folder):
        hint = did_you_mean(str(base), table_names(folder))
        raise ConfigError(f'{where}: extends: no table "{base}"{hint}')
    return _merged(read_mapping(folder / f"{base}.yaml", str(base)), data)


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
