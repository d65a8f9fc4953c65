"""Validates what a file holds, and says what is wrong in lines that a user can act on.

Each line tells where (the file or option), which key, what was expected and what was found.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tlm.errors import ConfigError

Validated = TypeVar("Validated", bound=BaseModel)
KeyPath = tuple[str, ...]  # of a key within its groups: ("core", "clock")
Where = Callable[[KeyPath], str]

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


def validated(
    model: type[Validated], data: Mapping[str, object], where: str | Where, extends: str = ""
) -> Validated:
    """``data`` as a ``model``.

    Args:
        model: what the data must be.
        data: the keys and values of a file.
        where: the file; or, where keys come from several, a function from a key's path to its
            file or option.
        extends: the kind of file (such as ``PRESET``) that this one may extend to be complete.

    Raises:
        ConfigError: the data do not fit; one line for each problem:
            ``WHERE: dotted.key: what is wrong``.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(error, model, where, extends))) from None


def _lines(
    error: ValidationError, model: type[BaseModel], where: str | Where, extends: str
) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        path = tuple(str(part) for part in detail["loc"])
        texts = str(detail.get("ctx", {}).get("error", "")).split("\n")
        inside = known_keys(model, path) if texts[0] else ()
        if path and texts[0].split(":")[0] in inside:  # a check across the keys of a group
            texts = [f"{'.'.join(path)}.{text}" for text in texts]
        elif path:
            text = texts[0] or _text(detail, path, model, extends)
            texts = [f"{'.'.join(path)}: {text}"]
        for text in texts:  # a check across keys writes several lines, each with its own key
            origin = where if isinstance(where, str) else where(path or _path(text))
            yield f"{origin}: {text}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "..."?`` for the closest of ``known``, or a list of them all."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known are {', '.join(names)}"


def known_keys(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """The keys that a file may hold in the group at ``path``; empty where any key may stand."""
    kind: Any = model
    for key in path:
        if _is_group(kind):
            fields = kind.model_fields.items()
            kind = next(field.annotation for name, field in fields if key in (name, field.alias))
        else:
            kind = get_args(kind)[-1]  # dict[str, X] or list[X]
        if type(None) in get_args(kind):  # X | None
            kind = get_args(kind)[0]
    if _is_group(kind):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def leaf_paths(model: type[BaseModel]) -> Iterator[KeyPath]:
    """The path of every single value of ``model``, in the order of its fields."""
    for name, field in model.model_fields.items():
        if _is_group(field.annotation):
            yield from ((name, *rest) for rest in leaf_paths(field.annotation))
        else:
            yield (name,)


def _is_group(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _path(line: str) -> KeyPath:
    """The path of the dotted key that a line starts with."""
    return tuple(line.split(":", 1)[0].split("."))


def _text(detail: Any, path: KeyPath, model: type[BaseModel], extends: str) -> str:
    """What is wrong with the value at ``path``, in our words where pydantic's are not plain."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(path[-1], known_keys(model, path[:-1]))}"
    if kind == "missing":
        remedy = f", or start the file with `extends: {extends}`" if extends else ""
        return f"missing; add it{remedy}"
    expected = _EXPECTED.get(kind)
    if expected is None:
        return str(detail["msg"])
    return f"{expected.format(**detail.get('ctx', {}))}, got {_shown(detail['input'])}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
