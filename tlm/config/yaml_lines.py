"""In which line of a YAML file a key stands: for error texts, and looked up only for them."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml.error import YAMLError

from tlm.config.key_lines import KeyPath, key_lines
from tlm.config.yaml_file import read_events
from tlm.errors import ConfigError


def located(where: str, key: KeyPath) -> str:
    """``FILE:LINE`` where ``where`` is a file that holds ``key``, or the group it belongs in.

    Anything else, such as ``--set`` or ``preset neuromc-20``, comes back as it is.
    """
    path = Path(where)
    if not path.is_file():
        return where
    try:
        lines = dict(key_lines(read_events(path, where)))
    except (ConfigError, YAMLError):
        return where
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return f"{where}:{lines[key[:length]]}"
    return where
