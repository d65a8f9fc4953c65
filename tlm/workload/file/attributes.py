"""Attributes of an untrusted HDF5 object, read once their type and size are known harmless."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tlm.workload.file import schema
from tlm.workload.file.fault import REMEDY, fault


def check_attribute_names(path: Path, holder: Any, names: tuple[str, ...]) -> None:
    """Raise WorkloadError unless ``holder`` has exactly the attributes ``names``."""
    present = list(holder.attrs)
    for name in present:
        if name not in names:
            expected = f"only {', '.join(names)}" if names else "none"
            raise fault(path, f"{holder.name} attributes", expected, name, REMEDY)
    for name in names:
        if name not in present:
            raise fault(path, f"{holder.name} attribute {name}", "to exist", "nothing", REMEDY)


def read_text(path: Path, holder: Any, name: str) -> str:
    """A scalar UTF-8 text attribute of fixed length.

    Variable-length text is refused: it lies in a heap of its own, and a damaged heap makes the
    HDF5 library (2.0) loop without end.
    """
    expected = f"a UTF-8 text of fixed length, 1..{schema.MAX_TEXT_NBYTES} bytes"
    value = _attribute(path, holder, name, expected, (h5py.h5t.STRING,))
    try:
        text = value.decode() if isinstance(value, bytes) else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise fault(path, f"{holder.name} attribute {name}", expected, value, REMEDY)
    return text


def read_label(path: Path, holder: Any, name: str) -> str:
    """A text attribute that is safe to print: one line without control characters."""
    text = read_text(path, holder, name)
    if not text.isprintable():
        key = f"{holder.name} attribute {name}"
        raise fault(path, key, "printable characters", ascii(text), REMEDY)
    return text


def read_word(path: Path, file: h5py.File, name: str, allowed: tuple[str, ...]) -> str:
    """A text attribute that is one of the words ``allowed``."""
    text = read_text(path, file, name)
    if text not in allowed:
        raise fault(path, name, " or ".join(allowed), text, REMEDY)
    return text


def read_numbers(path: Path, holder: Any, name: str, kinds: str, most: int) -> Any:
    """A numeric attribute of at most ``most`` elements and numpy kind in ``kinds``."""
    expected = f"1..{most} numbers of kind {' or '.join(kinds)}"
    value = _attribute(path, holder, name, expected, (h5py.h5t.INTEGER, h5py.h5t.FLOAT), most)
    if value.dtype.kind not in kinds or not 1 <= value.size <= most:
        raise fault(path, f"{holder.name} attribute {name}", expected, value, REMEDY)
    return value


def _attribute(
    path: Path, holder: Any, name: str, expected: str, classes: tuple[int, ...], most: int = 1
) -> Any:
    """Read an attribute once its type class and element count are known to be harmless."""
    identifier = name.encode()
    if not h5py.h5a.exists(holder.id, identifier):
        raise fault(path, f"{holder.name} attribute {name}", expected, "nothing", REMEDY)
    handle = h5py.h5a.open(holder.id, identifier)
    kind, space = handle.get_type(), handle.get_space()
    wrong = kind.get_class() not in classes or prod(handle.shape) > most
    if not wrong and kind.get_class() == h5py.h5t.STRING:
        wrong = bool(kind.is_variable_str()) or handle.shape != ()
    empty = space.get_simple_extent_type() == h5py.h5s.NULL
    if wrong or empty or handle.get_storage_size() > schema.MAX_TEXT_NBYTES:
        key = f"{holder.name} attribute {name}"
        raise fault(path, key, expected, "another type or size", REMEDY)
    value = np.empty(handle.shape, handle.dtype)
    handle.read(value)
    return value[()]


def read_integer(path: Path, file: h5py.File, name: str, low: int, high: int) -> int:
    """A whole-number attribute in low..high."""
    value = int(np.ravel(read_numbers(path, file, name, "iu", 1))[0])
    if not low <= value <= high:
        raise fault(path, name, f"{low}..{high}", value, REMEDY)
    return value


def read_fraction(path: Path, file: h5py.File, name: str) -> float:
    """A floating-point attribute in 0..1."""
    value = float(np.ravel(read_numbers(path, file, name, "f", 1))[0])
    if not 0 <= value <= 1:
        raise fault(path, name, "0..1", value, REMEDY)
    return value
