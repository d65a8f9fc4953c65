"""The arrays that NVSim computes, and the model's figures of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tlm.config.tables.array_cost import array_cost
from tlm.config.tables.synapse_array import ARRAY_FOLDER, SynapseArrayTable

ARRAY_FIGURES = ("area_mm2", "read_pj", "write_pj", "leakage_mw")
_KIB_BITS = 8 * 1024


@dataclass(frozen=True)
class NvsimArray:
    """An array of ``kib`` KiB with rows of ``width`` bits; ``figures`` by name."""

    technology: str
    kib: int
    width: int
    figures: Mapping[str, float]

    @property
    def bits(self) -> int:
        """All cells."""
        return self.kib * _KIB_BITS


def nvsim_arrays() -> tuple[NvsimArray, ...]:
    """All arrays of the file that ships."""
    with (ARRAY_FOLDER / "nvsim-arrays.csv").open(newline="", encoding="utf-8") as stream:
        return tuple(_array(row) for row in csv.DictReader(stream))


def array_errors(array: NvsimArray, table: SynapseArrayTable) -> dict[str, float]:
    """Ours over NVSim's figure, less 1, of every figure that is known."""
    cost = array_cost(array.bits // array.width, array.width, array.technology, table)
    ours = {**asdict(cost), "leakage_mw": cost.leakage_w * 1e3}
    return {name: ours[name] / value - 1 for name, value in array.figures.items()}


def _array(row: Mapping[str, str]) -> NvsimArray:
    figures = {name: float(row[name]) for name in ARRAY_FIGURES if row[name]}
    return NvsimArray(row["technology"], int(row["kib"]), int(row["width"]), figures)
