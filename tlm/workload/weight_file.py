"""A weight matrix in a file of NumPy's format (``.npy``), read without NumPy's own parser.

NumPy's format is described in ``numpy.lib.format``. Its parser evaluates the header and makes room
for whatever shape stands there; this one reads the headers that ``numpy.save`` writes for a plain
matrix of numbers, and no others.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tlm.errors import WorkloadError
from tlm.files import read_regular
from tlm.workload.values import Numbers

MOST_BYTES = 1 << 28
_START = re.compile(rb"\x93NUMPY[\x01-\x03]\x00", re.DOTALL)
_HEADER = re.compile(
    r"\{'descr': '(?P<kind>[^']*)', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\), \}\s*",
    re.ASCII,
)
_KINDS = re.compile(r"\|[iu]1|[<>][iu][248]|[<>]f[248]")


def read_matrix(path: Path) -> Numbers:
    """The matrix [inputs, outputs] in ``path``.

    Raises:
        WorkloadError: it is no such file, or holds anything but a matrix of numbers.
    """
    try:
        data = read_regular(path, MOST_BYTES)
    except ValueError as error:
        raise WorkloadError(f"{path}: cannot be read ({error})") from None
    version = data[6] if _START.match(data) else 0
    start = 10 if version == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    header = _HEADER.fullmatch(data[start:end].decode("latin-1")) if version else None
    if header is None:
        raise WorkloadError(
            f"{path}: expected an array in NumPy's .npy format; write it with numpy.save"
        )
    shape = [int(number) for number in header["shape"].replace(",", " ").split()]
    kind = header["kind"]
    if not _KINDS.fullmatch(kind) or len(shape) != 2 or 0 in shape:
        raise WorkloadError(
            f"{path}: expected a matrix [inputs, outputs] of whole or floating-point numbers, got "
            f'an array of type "{kind}" and shape {tuple(shape)}'
        )
    size = shape[0] * shape[1] * np.dtype(kind).itemsize
    if size != len(data) - end:
        raise WorkloadError(
            f"{path}: a matrix of {shape[0]} x {shape[1]} has {size} bytes, the file "
            f"{len(data) - end}; it is cut short or damaged"
        )
    numbers: Numbers = np.frombuffer(data, kind, offset=end)
    return numbers.reshape(shape[::-1]).T if header["fortran"] == "True" else numbers.reshape(shape)
