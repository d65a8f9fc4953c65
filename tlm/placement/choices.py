"""What of a mapping can be chosen: the part of mapping.yaml that ``run --mapping`` reads back.

The file is untrusted: unknown keys, cuts that do not tile a layer and cores that do not exist are
refused, one line each, before anything is placed. The section ``derived`` is for reading only.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tlm.config.chip import ChipConfig, Mapping
from tlm.config.problems import validated
from tlm.config.quantities import Section
from tlm.config.yaml_file import read_mapping
from tlm.errors import ConfigError, MappingError
from tlm.space.geometry import row_quantum
from tlm.space.grid import Grid
from tlm.workload.model import Layer, Workload

SCHEMA, VERSION = "tlm-mapping", 2


class Cuts(Section):
    """Positions of a layer's cuts along each dimension, both ends included."""

    channels: list[int]
    samples: list[int]
    rows: list[int]
    input_rows: list[int]


class LayerChoice(Section):
    """One layer: its cuts, and the core of each slice (samples, then rows, then channels)."""

    name: str
    cuts: Cuts
    cores: list[int]


class Choices(Section):
    """A mapping as chosen, in the form of its file; ``derived`` and ``chosen`` are not read."""

    schema_name: Literal["tlm-mapping"] = Field(alias="schema")
    schema_version: Literal[2]
    workload: str
    chip: str
    mapping: dict[str, Any]
    layers: list[LayerChoice]
    chosen: dict[str, Any] | None = None
    derived: dict[str, Any] | None = None


def read_choices(path: Path) -> Choices:
    """The choices in a mapping file.

    Raises:
        MappingError: unreadable, not YAML, or with keys or values that are none of a mapping's.
    """
    try:
        choices = validated(Choices, read_mapping(path, str(path)), str(path))
    except ConfigError as error:
        raise MappingError(str(error)) from None
    unknown = [key for key in choices.mapping if key not in Mapping.model_fields]
    if unknown:
        known = ", ".join(Mapping.model_fields)
        raise MappingError(f"{path}: mapping.{unknown[0]}: unknown key; known are {known}")
    return choices


def grids_of(choices: Choices, workload: Workload, chip: ChipConfig, where: str) -> list[Grid]:
    """The grid of every layer of ``workload``, in its order, checked against job and chip.

    Raises:
        MappingError: another job's mapping, or a layer that is not tiled exactly once by slices
            on cores of this chip.
    """
    if choices.workload != workload.name:
        raise MappingError(
            f"{where}: workload: written for {choices.workload!r}, not for {workload.name}; "
            "run that job, or start from this job's own mapping.yaml"
        )
    names = [layer.name for layer in workload.layers]
    chosen = [layer.name for layer in choices.layers]
    if chosen != names:
        wrong = next((a for a, b in zip(chosen, names, strict=False) if a != b), "their number")
        raise MappingError(
            f"{where}: layers: expected {', '.join(names)} in this order, but {wrong!r} differs"
        )
    tile = chip.core.engines.fp.cols
    grids = []
    for layer, choice in zip(workload.layers, choices.layers, strict=True):
        _check_cuts(layer, workload.batch, choice.cuts, tile, f"{where}: layers.{layer.name}.cuts")
        grid = Grid(
            channels=tuple(choice.cuts.channels),
            samples=tuple(choice.cuts.samples),
            rows=tuple(choice.cuts.rows),
            input_rows=tuple(choice.cuts.input_rows),
            cores=tuple(choice.cores),
        )
        _check_cores(grid, chip, f"{where}: layers.{layer.name}.cores")
        grids.append(grid)
    return grids


def _check_cuts(layer: Layer, batch: int, cuts: Cuts, tile: int, where: str) -> None:
    whole = layer.product_channels
    alone = layer.sums > 1 or layer.recurrent  # an arbiter, or a loop, has all neurons
    _check_span(cuts.channels, whole, whole if alone else tile, f"{where}.channels")
    _check_span(cuts.samples, batch, 1, f"{where}.samples")
    quantum = 0 if layer.recurrent else row_quantum(layer)
    quantum = quantum or layer.out_shape[1]
    _check_span(cuts.rows, layer.out_shape[1], quantum, f"{where}.rows")
    ends = [cuts.input_rows[:1], cuts.input_rows[-1:]]
    falling = any(a > b for a, b in pairwise(cuts.input_rows))
    if falling or ends != [[0], [layer.in_shape[1]]] or len(cuts.input_rows) != len(cuts.rows):
        raise MappingError(
            f"{where}.input_rows: expected {len(cuts.rows)} cuts, as of rows, that do not fall "
            f"from 0 to {layer.in_shape[1]}, got {_short(cuts.input_rows)}"
        )


def _check_span(cuts: list[int], end: int, quantum: int, where: str) -> None:
    if len(cuts) < 2 or (cuts[0], cuts[-1]) != (0, end) or any(a >= b for a, b in pairwise(cuts)):
        raise MappingError(f"{where}: expected cuts that rise from 0 to {end}, got {_short(cuts)}")
    odd = [cut for cut in cuts[:-1] if cut % quantum]
    if odd:
        raise MappingError(f"{where}: expected cuts at multiples of {quantum}, got {odd[0]}")


def _check_cores(grid: Grid, chip: ChipConfig, where: str) -> None:
    parts = grid.split.parts
    if len(grid.cores) != parts:
        raise MappingError(
            f"{where}: the cuts make {parts} slices, but {len(grid.cores)} cores are listed; "
            "give each slice one"
        )
    strange = [core for core in grid.cores if not 0 <= core < chip.cores]
    if strange:
        raise MappingError(
            f"{where}: there is no core {strange[0]}; the chip's are 0 to {chip.cores - 1}"
        )
    twice = [core for core in grid.cores if grid.cores.count(core) > 1]
    if twice:
        raise MappingError(f"{where}: core {twice[0]} holds two slices of a layer; give it one")


def _short(cuts: list[int]) -> str:
    text = str(cuts)
    return text if len(text) <= 60 else text[:57] + "..."
