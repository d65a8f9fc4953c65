"""Reading YAML 1.2 files of unknown origin into plain mappings.

Refused before anything is built: files over 1 MiB, deep nesting, too many values, anchors,
aliases, tags, several documents, duplicate keys; and of what is built, keys that are not text,
dates, numbers out of any range, and control characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.parser import Parser

from tlm.config.key_lines import KeyPath, key_lines
from tlm.errors import ConfigError
from tlm.files import read_regular

MAX_BYTES = 1 << 20
MAX_DEPTH = 12
MAX_NODES = 100_000  # three seconds of this parser, the slowest there is
MAX_INTEGER = 1 << 63


def read_mapping(path: Path, where: str, example: str = "name: my-chip") -> dict[str, object]:
    """The top-level mapping of the YAML file at ``path``; ``where`` names it in error texts.

    ``example`` is a line of such a file, for who hands in none.

    Raises:
        ConfigError: unreadable, too large, not YAML, or using a refused feature.
    """
    value = parse_yaml(_read_text(path, where), where)
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected keys with values (such as `{example}`)")
    return value


def parse_yaml(text: str, where: str) -> object:
    """The value written in ``text``: mappings, lists and scalars only.

    Raises:
        ConfigError: as ``read_mapping``.
    """
    return deepcopy(_parsed(text, where))


# A chip and its tables are five to seven texts, and a run or a study loads some of them again: a
# copy of what was parsed takes a hundredth of the time.
@lru_cache(maxsize=16)
def _parsed(text: str, where: str) -> object:
    try:
        value: object = _yaml(_RefusingParser).load(text)
    except _RefusedError as refused:
        raise ConfigError(f"{where}{refused}") from None
    except DuplicateKeyError as error:
        raise ConfigError(f"{where}{_line(error)}: {_duplicate(error)}") from None
    except MarkedYAMLError as error:
        problem = " ".join((error.problem or error.context or "cannot be read").split())
        remedy = "; indent with spaces, not with tabs" if "'\\t'" in problem else ""
        raise ConfigError(f"{where}{_line(error)}: not valid YAML: {problem}{remedy}") from None
    except (YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{where}: not valid YAML: {reason}") from None
    for path, problem in _odd_values(value, ()):
        line = dict(key_lines(_yaml().parse(text))).get(path)
        raise ConfigError(f"{where}{f':{line}' if line else ''}: {problem}")
    return value


def read_events(path: Path, where: str) -> Iterator[Event]:
    """The parser's events of a file, each with its place; raises as ``read_mapping``."""
    events: Iterator[Event] = _yaml().parse(_read_text(path, where))
    return events


def _yaml(parser: type[Parser] = Parser) -> YAML:
    yaml = YAML(typ="safe", pure=True)  # the C parser knows only YAML 1.1, where `on` is true
    yaml.Parser = parser
    return yaml


def _read_text(path: Path, where: str) -> str:
    try:
        data = read_regular(path, MAX_BYTES)
    except ValueError as error:
        raise ConfigError(f"{where}: cannot be read: {error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: expected UTF-8 text; byte {error.start} is not") from None


class _RefusedError(Exception):
    """Its text follows the name of the file."""


class _RefusingParser(Parser):
    """Refuses what must not be built, event by event: values are built when all have passed."""

    def __init__(self, loader: YAML) -> None:
        super().__init__(loader)
        self.depth = self.documents = self.nodes = 0

    def get_event(self) -> Any:
        """The next event.

        Raises:
            _RefusedError: it is of a feature that is not accepted.
        """
        event = super().get_event()
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            self.depth += 1
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.depth -= 1
        self.documents += isinstance(event, DocumentStartEvent)
        self.nodes += isinstance(event, NodeEvent)
        refused = _refused(event)
        if self.depth > MAX_DEPTH:
            refused = f"nesting deeper than {MAX_DEPTH}"
        elif self.nodes > MAX_NODES:
            raise _RefusedError(f": more than {MAX_NODES} values; shorten the file")
        elif self.documents > 1:
            refused = "a second document"
        if refused:
            line = event.start_mark.line + 1
            raise _RefusedError(f":{line}: {refused} is not accepted here; write it out")
        return event


def _refused(event: Event) -> str:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        return "an anchor or alias"
    if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
        tag = event.tag
        return f"the tag {tag}" if tag is not None else ""
    return ""


def _odd_values(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """What is neither text, a number of ordinary size, true, false, nothing, nor made of them.

    Each with its path and with what was expected there.
    """
    dotted = ".".join(key[:60] for key in path)
    place = f"{dotted}: " if path else ""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _odd_values(item, (*path, str(number)))
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isprintable():
                yield path, f"{'.'.join((*path, _shown(key)))}: expected a key made of text"
                continue
            yield from _odd_values(item, (*path, key))
    elif isinstance(value, str):
        if not value.replace("\n", "").replace("\t", "").isprintable():
            yield path, f"{place}expected printable text, got {ascii(value)[:60]}"
    elif isinstance(value, int | float):
        if not -MAX_INTEGER < value < MAX_INTEGER:
            yield path, f"{place}expected a number below 2^63, got {_shown(value)}"
    elif value is not None:
        yield path, f'{place}expected text or a number, got {_shown(value)}; quote it: "..."'


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= MAX_INTEGER:
        return f"one of {value.bit_length()} bits"  # printing it may be refused or slow
    return repr(value)[:60]


def _line(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f":{mark.line + 1}" if mark is not None else ""


def _duplicate(error: DuplicateKeyError) -> str:
    problem = " ".join((error.problem or "").split()).split(" with value")[0]
    return f"{problem.replace('found ', '')}: given twice in one group; keep one of them"
