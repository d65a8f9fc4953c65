"""In which line of a YAML file a key stands: for error texts, and looked up only for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tlm.config.yaml_file import read_events
from tlm.errors import ConfigError

KeyPath = tuple[str, ...]  # of a key within its groups: ("core", "clock")


def located(where: str, key: KeyPath) -> str:
    """``FILE:LINE`` where ``where`` is a file that holds ``key``, or the group it belongs in.

    Anything else, such as ``--set`` or ``preset neuromc-20``, comes back as it is.
    """
    path = Path(where)
    if not path.is_file():
        return where
    try:
        lines = dict(_lines(read_events(path, where)))
    except (ConfigError, YAMLError):
        return where
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return f"{where}:{lines[key[:length]]}"
    return where


def _lines(events: Iterator[Event]) -> Iterator[tuple[KeyPath, int]]:
    """Every key of the document, by its path, with the number of its line."""
    for event in events:
        if isinstance(event, MappingStartEvent):
            yield from _group(events, ())


def _group(events: Iterator[Event], above: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    for key in events:
        if isinstance(key, MappingEndEvent):
            return
        path = (*above, key.value if isinstance(key, ScalarEvent) else "")
        yield path, key.start_mark.line + 1
        yield from _value(events, next(events), path)


def _value(events: Iterator[Event], first: Event, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(first, MappingStartEvent):
        yield from _group(events, path)
    elif isinstance(first, SequenceStartEvent):
        number = 0
        while not isinstance(item := next(events), SequenceEndEvent):
            yield (*path, str(number)), item.start_mark.line + 1
            yield from _value(events, item, (*path, str(number)))
            number += 1
