"""Validates what a file holds, and says what is wrong in lines that a user can act on.

Each line tells where (the file or option), which key, what was expected and what was found.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tlm.config.key_lines import KeyPath
from tlm.config.yaml_lines import located
from tlm.errors import ConfigError

__all__ = ["KeyPath", "did_you_mean", "known_keys", "leaf_paths", "unknown_key", "validated"]

Validated = TypeVar("Validated", bound=BaseModel)
Where = Callable[[KeyPath], str]

_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "string_pattern_mismatch": "expected up to 64 letters, digits, '.', '_' and '-'",
    "dict_type": "expected a group of keys",
    "list_type": "expected a list",
    "model_type": "expected a group of keys",
    "greater_than": "expected more than {gt}",
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
    details = error.errors(include_url=False)
    missing = [_dotted(detail["loc"]) for detail in details if detail["type"] == "missing"]
    if missing:
        origin = where if isinstance(where, str) else where(())
        yield f"{origin}: {_missing(missing, extends)}"
    for detail in details:
        if detail["type"] == "missing":
            continue
        path = tuple(str(part) for part in detail["loc"])
        for text in _texts(detail, path, model):
            key = path or tuple(text.split(":", 1)[0].split("."))
            origin = located(where, key) if isinstance(where, str) else where(key)
            yield f"{origin}: {text}"


def _texts(detail: Any, path: KeyPath, model: type[BaseModel]) -> list[str]:
    """What is wrong, each with its key: a check across keys may say several things."""
    texts = str(detail.get("ctx", {}).get("error", "")).split("\n")
    inside = known_keys(model, path) if texts[0] else ()
    if path and texts[0].split(":")[0] in inside:
        return [f"{_dotted(path)}.{text}" for text in texts]
    return [f"{_dotted(path)}: {texts[0] or _text(detail, path, model)}"] if path else texts


def _missing(keys: list[str], extends: str) -> str:
    """One line for all keys that a file lacks."""
    remedy = f", or start the file with `extends: {extends}`" if extends else ""
    if len(keys) == 1:
        return f"{keys[0]}: missing; add it{remedy}"
    most = 12
    names = ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if keys[most:] else "")
    return f"{names}: missing; add them{remedy}"


def _dotted(path: Iterable[object]) -> str:
    return ".".join(map(str, path))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "..."?`` for the closest of ``known``, or a list of them all."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known are {', '.join(names)}"


def unknown_key(path: KeyPath, model: type[BaseModel]) -> str:
    """``unknown key``, and what may be meant by ``path``, whose last name or group is not known.

    The nearest key of the same group comes first, then a key of the same name elsewhere.
    """
    depth, group = 0, known_keys(model, ())
    while depth < len(path) - 1 and (not group or path[depth] in group):  # some take any key
        depth += 1
        group = known_keys(model, path[:depth])
    close = difflib.get_close_matches(path[depth], group, n=1, cutoff=0.6)
    inside = known_keys(model, (*path[:depth], *close)) if close else []
    if close and (depth == len(path) - 1 or path[depth + 1] in inside):
        meant = _dotted((*path[:depth], *close, *path[depth + 1 :]))
        return f'unknown key; did you mean "{meant}"?'
    leaves = [_dotted(leaf) for leaf in leaf_paths(model)]
    named = [leaf for leaf in leaves if leaf.rpartition(".")[2] == path[-1]]
    nearest = (
        difflib.get_close_matches(_dotted(path), leaves, n=1, cutoff=0.85)
        or named
        or difflib.get_close_matches(_dotted(path), leaves, n=1)
    )
    if nearest:
        return f'unknown key; did you mean "{nearest[0]}"?'
    return f"unknown key; known are {', '.join(group)}"


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


def _text(detail: Any, path: KeyPath, model: type[BaseModel]) -> str:
    """What is wrong with the value at ``path``, in our words where pydantic's are not plain."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return unknown_key(path, model)
    expected = _EXPECTED.get(kind)
    if expected is None:
        return str(detail["msg"])
    return f"{expected.format(**detail.get('ctx', {}))}, got {_shown(detail['input'])}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
