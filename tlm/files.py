"""Files: those of unknown origin are read with care, and each is written whole or not at all.

Only regular files of bounded size are read, as a pipe or a device could keep a reader waiting for
ever or have no end; and JSON without its traps.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import NoReturn

from tlm.errors import TlmError, TraceError, write_errors

MAX_JSON_DEPTH = 32
MAX_JSON_NUMBER = 400  # digits: more than the longest float has
# All but tab and line end, and what turns the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def read_regular(path: Path, limit: int) -> bytes:
    """The content of the regular file ``path``.

    Raises:
        ValueError: there is none, it cannot be read, or it is larger than ``limit`` bytes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("no regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    if len(data) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return data


def odd_entry(folder: Path) -> Path | None:
    """An entry anywhere in ``folder`` that is neither a file nor a folder: a link, a pipe, ...

    Raises:
        OSError: the folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                odd = odd_entry(Path(entry.path))
            else:
                odd = None if entry.is_file(follow_symlinks=False) else Path(entry.path)
            if odd is not None:
                return odd
    return None


@contextmanager
def whole_file(path: Path, kind: type[TlmError] = TraceError) -> Iterator[Path]:
    """A place beside ``path`` to write to: what is there in the end is synced and moved to it.

    Nothing is left of a file that could not be written. It has the rights that the user's umask
    gives to new files.

    Raises:
        DiskFullError: there is no room for it.
        TlmError: of class ``kind``, it cannot be written for another reason.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with write_errors(path, kind):
        try:
            yield part
            sync(part)
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def require_writable(path: Path) -> None:
    """Refuse now what :func:`whole_file` would refuse after the work that is to be written.

    Raises:
        TraceError: the file cannot be written; DiskFullError for want of room.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with write_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part.touch()
        part.unlink()


def make_folder(path: Path) -> None:
    """Make the folder ``path``, and those that it lies in, where there is none.

    Raises:
        TraceError: it cannot be made; DiskFullError for want of room.
    """
    with write_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def sync(path: Path) -> None:
    """Have the system put a closed file on the disk, so that a power cut cannot take it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def printable(text: str) -> str:
    """``text`` in which control characters, which could command a terminal, are spelt out."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def parse_json(text: str | bytes) -> object:
    """The value written in ``text``, in the JSON of RFC 8259, which has neither NaN nor Infinity.

    Raises:
        ValueError: it is not JSON, nests deeper than any file of ours, writes a key twice, or holds
            a control character other than tab and line end.
    """
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not readable as JSON ({error})") from None
    except RecursionError:
        raise ValueError(f"nesting deeper than {MAX_JSON_DEPTH}") from None
    _check(value, 0)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {ascii(twice)[:60]} stands twice in one object")
    return content


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word}, which is no finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError(f"{digits[:20]}, which is no finite number")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_JSON_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _check(value: object, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"nesting deeper than {MAX_JSON_DEPTH}")
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError(f"a control character in {ascii(value)[:60]}")
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    for item in inner if isinstance(inner, list) else ():
        _check(item, depth + 1)
