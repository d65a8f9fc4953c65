"""Writes a loaded chip out again: complete, with units, every line saying where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tlm.config.layers import LoadedChip


def resolved_yaml(loaded: LoadedChip, *, origins: bool = True) -> str:
    """The complete chip description as YAML; loading it again gives an equal configuration.

    Each value is followed by a comment: the preset, file or option that set it, and ``assumed``
    where no publication states it. What is assumed is also kept as ``provenance``. Without
    ``origins`` there are no comments, and equal configurations give equal text, whatever the
    files they came from.
    """
    lines = list(_group(loaded.config.model_dump(), (), loaded, origins))
    if origins and loaded.assumed:
        lines += ["", "provenance:"]
        for key, note in loaded.assumed.items():
            text = f"assumed: {note}" if note else "assumed"
            lines.append(f"  {key}: {json.dumps(text, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _group(
    values: Mapping[str, object], above: tuple[str, ...], loaded: LoadedChip, origins: bool
) -> Iterator[str]:
    indent = "  " * len(above)
    for name, value in values.items():
        path = (*above, name)
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _group(value, path, loaded, origins)
        elif not origins:
            yield f"{indent}{name}: {_scalar(value)}"
        else:
            key = ".".join(path)
            assumed = ", assumed" if key in loaded.assumed else ""
            origin = " ".join(loaded.origins[key].split())  # a file name may hold a line break
            yield f"{indent}{name}: {_scalar(value)}  # {origin}{assumed}"


def _scalar(value: object) -> str:
    """``value`` as YAML: JSON's forms are all YAML 1.2, so text is quoted and lists are inline."""
    return json.dumps(value, ensure_ascii=False)
