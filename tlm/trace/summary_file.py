"""``summary.json`` written and read."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular
from tlm.trace.run_folder import check_folder
from tlm.trace.summary import SCHEMA, DramCommands, Summary

FILE_NAME = "summary.json"
_MAX_BYTES = 16 << 20  # more than the figures of the most layers and cores take
_COMMANDS = [field.name for field in fields(DramCommands)]


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values in the order of the file."""
    content = asdict(summary)
    dram: dict[str, Any] = {}
    for name, value in content["dram"].items():
        dram |= (value or {}) if name == "commands" else {name: value}
    if summary.weights is None:
        del content["weights"]
    return content | {"dram": dram}


def read_summary(folder: Path) -> Summary:
    """The summary of the finished run in ``folder``.

    Raises:
        TraceError: there is none, or it is not what a run writes; the text names the first fault.
    """
    check_folder(folder)
    path = folder / FILE_NAME
    try:
        content = parse_json(read_regular(path, _MAX_BYTES))
    except ValueError as error:
        raise TraceError(f"{path}: {error}; give the folder of a finished run") from None
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
