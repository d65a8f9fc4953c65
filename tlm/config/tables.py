"""Tables that a chip names: one that ships, by its name, or a file."""

from __future__ import annotations

from pathlib import Path

from tlm.config.problems import did_you_mean
from tlm.errors import ConfigError


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
