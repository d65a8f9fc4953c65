"""Topology files of SCALE-Sim (v2, v3): one layer a line of comma-separated values.

A convolution is named with seven numbers: rows and columns of its input, padding included, those of
its filter, channels, filters and stride. A product of matrices has three, M x K times K x N: M
positions of K channels, N outputs. Source: SCALE-Sim's documentation of topology files.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tlm.errors import WorkloadError
from tlm.exchange.layer_list import ListedLayer
from tlm.workload.file.schema import MAX_DIMENSION

_CONV, _MATRIX = 7, 3
_REMEDY = (
    "expected LAYER, and IFMAP height and width, filter height and width, channels, filters and "
    "stride, or M, N, K"
)


def listed_layers(path: Path, text: str) -> list[ListedLayer]:
    """The layers of a topology file; its first line, of titles, says nothing.

    Raises WorkloadError naming the line that is no layer.
    """
    rows = csv.reader(text.splitlines())
    next(rows, None)
    return [_layer(path, rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]


def _layer(path: Path, line: int, row: Sequence[str]) -> ListedLayer:
    name, *cells = (cell.strip() for cell in row)
    numbers = []
    for cell in cells:  # behind the numbers: nothing, or a ratio of sparsity such as 2:4
        if not cell.isdecimal() or not 0 < int(cell) <= MAX_DIMENSION:
            break
        numbers.append(int(cell))
    rest = [cell for cell in cells[len(numbers) :] if cell]
    if len(numbers) not in (_CONV, _CONV + 1, _MATRIX) or not name or len(rest) > 1:
        got = ",".join(row)[:80]
        raise WorkloadError(f"{path}:{line}: {_REMEDY}, 1..{MAX_DIMENSION}, got {got!r}")
    if len(numbers) == _MATRIX:
        positions, outputs, channels = numbers
        return ListedLayer(name, (channels, positions, 1), outputs, (1, 1), (1, 1))
    height, width, rows, columns, channels, outputs, *strides = numbers
    stride = (strides[0], strides[-1])
    return ListedLayer(name, (channels, height, width), outputs, (rows, columns), stride)
