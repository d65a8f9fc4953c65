"""Turns what pydantic finds into lines a user can act on: where, which key, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "string_pattern_mismatch": "expected up to 64 letters, digits, '.', '_' and '-'",
    "dict_type": "expected a group of keys",
    "list_type": "expected a list",
    "model_type": "expected a group of keys",
    "greater_than_equal": "expected {ge} or more",
    "less_than_equal": "expected {le} or less",
    "literal_error": "expected {expected}",
}


def problem_lines(
    error: ValidationError, model: type[BaseModel], where: Callable[[tuple[str, ...]], str]
) -> list[str]:
    """One line an error: ``WHERE: dotted.key: what is wrong``.

    Args:
        error: what validating against ``model`` raised.
        model: the model, for the keys it knows.
        where: the file or option that set the key at a path.
    """
    lines = []
    for detail in error.errors(include_url=False):
        path = tuple(str(part) for part in detail["loc"])
        texts = str(detail.get("ctx", {}).get("error", "")).split("\n")
        if not path:  # a check across keys; each of its lines starts with a key of its own
            lines += [f"{where(tuple(_key(text).split('.')))}: {text}" for text in texts]
            continue
        lines.append(f"{where(path)}: {'.'.join(path)}: {_text(detail, path, model, texts[0])}")
    return lines


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "..."?`` for the closest of ``known``, or a list of them all."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known are {', '.join(names)}"


def known_keys(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """The keys a chip file may hold in the group at ``path``; empty where any key may stand."""
    kind: Any = model
    for key in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[key].annotation
        else:
            kind = get_args(kind)[-1]  # dict[str, X] or list[X]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return []


def leaf_paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """The path of every single value of ``model``, in the order of its fields."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, *rest) for rest in leaf_paths(field.annotation))
        else:
            yield (name,)


def _key(line: str) -> str:
    return line.split(":", 1)[0]


def _text(detail: Any, path: tuple[str, ...], model: type[BaseModel], raised: str) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(path[-1], known_keys(model, path[:-1]))}"
    if kind == "missing":
        return "missing; add it, or start the file with `extends: PRESET`"
    if kind == "value_error":
        return raised
    expected = _EXPECTED.get(kind)
    if expected is None:
        return str(detail["msg"])
    return f"{expected.format(**detail.get('ctx', {}))}, got {_shown(detail['input'])}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
