"""The line of every key in the events of a YAML parser."""

from __future__ import annotations

from collections.abc import Iterator

from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

KeyPath = tuple[str, ...]  # of a key within its groups: ("core", "clock")


def key_lines(events: Iterator[Event]) -> Iterator[tuple[KeyPath, int]]:
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
        for _ in _value(events, key, path):  # a list or a group as key, refused elsewhere
            pass
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
