"""The cells of the published table of energies, times and leakages, and the model's of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tlm.config.tables.synapse_memory import FOLDER, Cell, SynapseMemoryTable
from tlm.space.array_types import Ints
from tlm.synapses.cost import SynapseCost, convolution_cost, synapse_cost
from tlm.synapses.filters import Filters

_SIZES = ("inputs", "outputs", "window", "filters", "image")
FIGURES = ("forward_uj", "backward_uj", "both_uj", "forward_ms", "backward_ms", "leakage_mw")


@dataclass(frozen=True)
class EvenCounts:
    """Counts of a matrix with a share of its possible synapses, spread evenly over the inputs."""

    inputs: int
    outputs: int
    width: int
    density: float

    @cached_property
    def fan_out(self) -> Ints:
        """Synapses of each input; the first have one more where they do not divide evenly."""
        each, more = divmod(self.synapses, self.inputs)
        return each + (np.arange(self.inputs) < more)

    @property
    def synapses(self) -> int:
        """The nearest whole number of synapses."""
        return round(self.inputs * self.outputs * self.density)


@dataclass(frozen=True)
class PublishedCell:
    """A cell: what was measured, and its ``figures`` by name, in uJ, ms and mW.

    ``group`` says where it comes from: ``cell``, ``rounded`` or ``network``, as in the README
    beside the file.
    """

    group: str
    key: Cell
    figures: Mapping[str, float]


def published_cells() -> tuple[PublishedCell, ...]:
    """All cells of the file that ships."""
    path = FOLDER / "memory-organisation.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        return tuple(_cell(row) for row in csv.DictReader(stream))


def predicted(key: Cell, table: SynapseMemoryTable) -> SynapseCost:
    """The model's cost of a cell."""
    if key.layer == "fc":
        counts = EvenCounts(key.inputs, key.outputs, key.width, key.density)
        return synapse_cost(key.organisation, counts, table)
    side, pad = key.window, key.window // 2
    codes = np.zeros((key.filters, 1, side, side), np.int64)
    filters = Filters(codes, key.width, (key.image, key.image), (pad, pad))
    return convolution_cost(key.organisation, filters, table)


def figures(cost: SynapseCost) -> dict[str, float]:
    """A cost in the figures of a published cell."""
    forward, backward = cost.forward, cost.backward
    return {
        "forward_uj": forward.energy_pj / 1e6,
        "backward_uj": backward.energy_pj / 1e6,
        "both_uj": cost.energy_pj / 1e6,
        "forward_ms": forward.time_ps / 1e9,
        "backward_ms": backward.time_ps / 1e9,
        "leakage_mw": cost.leakage_w * 1e3,
    }


def errors(cell: PublishedCell, table: SynapseMemoryTable) -> dict[str, float]:
    """Ours over the published figure, less 1, of every figure that the cell has."""
    ours = figures(predicted(cell.key, table))
    return {name: ours[name] / value - 1 for name, value in cell.figures.items()}


def _cell(row: Mapping[str, str]) -> PublishedCell:
    layer: Literal["fc", "conv"] = "fc" if row["layer"] == "fc" else "conv"
    sizes = {
        name: int(row[name] or 0) for name in ("inputs", "outputs", "window", "filters", "image")
    }
    key = Cell(
        layer=layer,
        organisation=row["organisation"],
        width=int(row["width"]),
        density=float(row["density"]),
        **sizes,
    )
    return PublishedCell(row["set"], key, {name: float(row[name]) for name in FIGURES if row[name]})
