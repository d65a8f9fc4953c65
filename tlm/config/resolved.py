"""Writes a loaded chip out: complete, with units, every line saying where its value came from."""

from __future__ import annotations

from tlm.config.layers import LoadedChip
from tlm.config.problems import KeyPath
from tlm.config.yaml_text import commented_lines


def resolved_yaml(loaded: LoadedChip, *, origins: bool = True) -> str:
    """The complete chip description as YAML; loading it gives an equal configuration.

    Each value is followed by a comment: the preset, file or option that set it, and ``assumed``
    where no publication states it, ``unsourced`` where nobody says where it is from. Notes are
    also kept as ``provenance``. Without
    ``origins`` there are no comments, and equal configurations give equal text, whatever the
    files they came from.
    """

    def comment(path: KeyPath) -> str:
        if not origins:
            return ""
        key = ".".join(path)
        origin = " ".join(loaded.origins[key].split())  # a file name may hold a line break
        kind = ", assumed" if key in loaded.assumed else ", unsourced" if key in unsourced else ""
        return origin + kind

    unsourced = loaded.unsourced
    lines = list(commented_lines(loaded.config.model_dump(), comment))
    notes = {k: f"assumed: {note}" if note else "assumed" for k, note in loaded.assumed.items()}
    notes |= {key: f"source: {note}" for key, note in loaded.sources.items()}
    if origins and notes:
        lines += ["", *commented_lines({"provenance": notes}, lambda path: "")]
    return "\n".join(lines) + "\n"
