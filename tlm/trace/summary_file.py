"""``summary.json`` written and read."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular
from tlm.trace.run_folder import check_folder
from tlm.trace.summary import SCHEMA, DramCommands, Summary

FILE_NAME = "summary.json"
_MAX_BYTES = 16 << 20  # more than the figures of the most layers and cores take
_REMEDY = "run the job again"
_COMMANDS = [field.name for field in fields(DramCommands)]


Figures = TypeVar("Figures")


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
    content = summary_content(folder, SCHEMA, _MAX_BYTES, "a finished run", _REMEDY)
    dram = content.get("dram")
    if isinstance(dram, dict):
        commands = {name: dram[name] for name in _COMMANDS if name in dram}
        content["dram"] = dram | {"commands": commands or None}
    return checked_summary(_adapter(), content, folder, _REMEDY)


def summary_content(
    folder: Path, schema: str, most_bytes: int, run: str, remedy: str
) -> dict[str, Any]:
    """What stands in the summary of ``run``, of a schema.

    Raises:
        TraceError: there is none, or it is of another schema.
    """
    check_folder(folder)
    path = folder / FILE_NAME
    try:
        content = parse_json(read_regular(path, most_bytes))
    except ValueError as error:
        raise TraceError(f"{path}: {error}; give the folder of {run}") from None
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise TraceError(f"{path}: expected JSON of schema {schema!r}; {remedy}")
    return content


def checked_summary(
    adapter: TypeAdapter[Figures], content: dict[str, Any], folder: Path, remedy: str
) -> Figures:
    """The content of a summary as figures.

    Raises:
        TraceError: it is not what a run writes; the text names the first fault.
    """
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        raise TraceError(f"{folder / FILE_NAME}: {key}: {fault['msg']}; {remedy}") from None


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)
