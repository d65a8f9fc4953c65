"""Layers as nests of loops in YAML: a list of ZigZag's, or a problem of Timeloop's.

ZigZag lists an ``equation`` with ``loop_dims`` and ``loop_sizes`` for each layer, B, K, C, OY, OX,
FY, FX (G for groups), the stride in ``dimension_relations`` (``iy=2*oy+1*fy``) and the layers that
are read in ``operand_source``. Timeloop's problem has an ``instance``: C, M, P, Q, R, S, strides
and dilations. A stride or size that is not there is 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tlm.errors import WorkloadError
from tlm.exchange.layer_list import ListedLayer
from tlm.workload.file.schema import MAX_DIMENSION

_RELATION = re.compile(r"i([xy])=(?:(\d+)\*)?o\1\+(?:(\d+)\*)?f\1")
_PRODUCT = re.compile(r"O(\[\w+\])+\+?=\w(\[\w+\])+\*\w(\[\w+\])+")
_TIMELOOP = ("C", "M", "P", "Q", "R", "S", "N", "G", "K", "Wstride", "Hstride", "Wdilation",
             "Hdilation")  # fmt: skip


def listed_layers(path: Path, content: object) -> list[ListedLayer]:
    """The layers that a parsed file holds: ZigZag's list, or the one layer of a problem.

    Raises WorkloadError naming the entry and what was expected of it.
    """
    if isinstance(content, list):
        return list(_zigzag(path, content))
    if isinstance(content, dict) and isinstance(content.get("problem"), dict):
        return [_timeloop(path, content["problem"])]
    raise WorkloadError(
        f'{path}: expected a list of layers with "equation" and "loop_sizes" (ZigZag), or a '
        '"problem" with an "instance" (Timeloop)'
    )


def _zigzag(path: Path, entries: list[Any]) -> Iterator[ListedLayer]:
    """Layers of a list; a sum of two is read as both by whoever reads it."""
    outputs: dict[int, tuple[str, ...]] = {}  # names of the layers that an entry's output adds up
    for at, entry in enumerate(entries):
        where = f"{path}: entry {at}"
        if not isinstance(entry, dict) or not isinstance(entry.get("equation"), str):
            raise WorkloadError(f'{where}: expected an "equation" and its loops')
        number = entry.get("id", at)
        sources = _sources(where, entry, outputs)
        if entry.get("operator_type") == "Add":
            outputs[number] = sources or ()
            continue
        if not _PRODUCT.fullmatch("".join(entry["equation"].split())):
            raise WorkloadError(
                f"{where}: {entry['equation']!r:.60}: expected a product such as "
                "O[b][k]+=W[k][c]*I[b][c], or operator_type Add; leave pools out: they are inferred"
            )
        layer = _zigzag_layer(where, f"layer{number}", entry, sources)
        outputs[number] = (layer.name,)
        yield layer


def _sources(
    where: str, entry: dict[str, Any], outputs: dict[int, tuple[str, ...]]
) -> tuple[str, ...] | None:
    """Names of the layers that an entry adds up; None if it does not say."""
    stated = entry.get("operand_source")
    if not isinstance(stated, dict):
        return None
    own = entry.get("id")
    numbers = [number for operand, number in stated.items() if operand != "W" and number != own]
    unknown = [number for number in numbers if number not in outputs]
    if unknown:
        raise WorkloadError(
            f"{where}: operand_source: expected entries before it, got {unknown[0]!r:.40}"
        )
    return tuple(name for number in numbers for name in outputs[number])


def _zigzag_layer(
    where: str, name: str, entry: dict[str, Any], sources: tuple[str, ...] | None
) -> ListedLayer:
    dims, sizes = entry.get("loop_dims"), entry.get("loop_sizes")
    if not isinstance(dims, list) or not isinstance(sizes, list) or len(dims) != len(sizes):
        raise WorkloadError(f"{where}: expected loop_dims and loop_sizes, lists of one length")
    of = {str(dim): _size(where, str(dim), size) for dim, size in zip(dims, sizes, strict=True)}
    stride, dilation = {"x": 1, "y": 1}, {"x": 1, "y": 1}
    for text in entry.get("dimension_relations") or ():
        relation = _RELATION.fullmatch("".join(str(text).split()))
        if relation is None:
            raise WorkloadError(f"{where}: {text!r:.60}: expected such as iy=2*oy+1*fy")
        axis, step, reach = relation.groups()
        stride[axis] = _size(where, "stride", int(step or 1))
        dilation[axis] = _size(where, "dilation", int(reach or 1))
    groups = of.get("G", 1)
    return _layer(
        name,
        (of.get("C", 1) * groups, of.get("K", 1) * groups, groups),
        (of.get("OY", 1), of.get("OX", 1)),
        _Taps(
            (of.get("FY", 1), of.get("FX", 1)),
            (stride["y"], stride["x"]),
            (dilation["y"], dilation["x"]),
        ),
        sources,
    )


def _timeloop(path: Path, problem: dict[str, Any]) -> ListedLayer:
    instance = problem.get("instance", problem)
    if not isinstance(instance, dict):
        raise WorkloadError(f"{path}: problem.instance: expected sizes by name, such as C: 64")
    of = {name: _size(f"{path}: problem", name, instance.get(name, 1)) for name in _TIMELOOP}
    if "C" not in instance or not {"M", "K"} & instance.keys():
        raise WorkloadError(
            f"{path}: problem.instance: expected C and M (or K), the channels of input and output"
        )
    return _layer(
        path.stem,
        (of["C"] * of["G"], max(of["M"], of["K"]) * of["G"], of["G"]),
        (of["P"], of["Q"]),
        _Taps(
            (of["R"], of["S"]),
            (of["Hstride"], of["Wstride"]),
            (of["Hdilation"], of["Wdilation"]),
        ),
        None,
    )


class _Taps(NamedTuple):
    """A kernel, (rows, columns): its size, the stride of its windows, the dilation of its taps."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]


def _layer(
    name: str,
    channels: tuple[int, int, int],
    size: tuple[int, int],
    taps: _Taps,
    sources: tuple[str, ...] | None,
) -> ListedLayer:
    """``channels`` are those of input and output, and groups; ``size`` is that of the output."""
    rows, columns = (
        (out - 1) * step + (window - 1) * apart + 1
        for out, window, step, apart in zip(size, *taps, strict=True)
    )
    padded = (channels[0], rows, columns)
    row = ListedLayer(name, padded, channels[1], taps.kernel, taps.stride, groups=channels[2])
    return replace(row, sources=sources, dilation=taps.dilation)


def _size(where: str, name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_DIMENSION:
        raise WorkloadError(
            f"{where}: {name}: expected a whole number in 1..{MAX_DIMENSION}, got {value!r:.40}"
        )
    return value
