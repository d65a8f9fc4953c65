"""``summary.json`` written and read."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tlm.errors import TraceError
from tlm.trace.summary import SCHEMA, DramCommands, Summary

FILE_NAME = "summary.json"
_COMMANDS = [field.name for field in fields(DramCommands)]


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values in the order of the file."""
    content = asdict(summary)
    dram: dict[str, Any] = {}
    for name, value in content["dram"].items():
        dram |= (value or {}) if name == "commands" else {name: value}
    return content | {"dram": dram}


def read_summary(folder: Path) -> Summary:
    """The summary of the finished run in ``folder``.

    Raises:
        TraceError: there is none, or it is not what a run writes; the text names the first fault.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; give the folder of a finished run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TraceError(f"{path}: not readable as JSON ({error}); run the job again") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise TraceError(f"{path}: expected JSON of schema {SCHEMA!r}; run the job again")
    dram = content.get("dram")
    if isinstance(dram, dict):
        commands = {name: dram[name] for name in _COMMANDS if name in dram}
        content["dram"] = dram | {"commands": commands or None}
    try:
        return _adapter().validate_python(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        raise TraceError(f"{path}: {key}: {fault['msg']}; run the job again") from None


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)
