"""Inference accelerators of others: what their authors state, what is assumed, what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tlm.config.problems import validated
from tlm.config.quantities import (
    Fraction,
    Picojoules,
    Picoseconds,
    PositiveNumber,
    Section,
    Watts,
    WholeNumber,
)
from tlm.config.tables.table_file import read_table, table_names

CHIP_FOLDER = Path(__file__).parent.parent / "inference_chip"


class StatedFigures(Section):
    """Figures of an inference: latency, power, energy; resources of the FPGA; throughput."""

    latency: Picoseconds | None = None
    power: Watts | None = None
    energy: Picojoules | None = None
    steps: WholeNumber | None = None
    logic_cells: WholeNumber | None = None
    block_rams: WholeNumber | None = None
    gops: PositiveNumber | None = None
    gops_per_element: PositiveNumber | None = None
    gops_per_dsp: PositiveNumber | None = None
    accuracy: Fraction | None = None


class AssumedShape(Section):
    """Neurons of each layer, inputs first, as far as they can be told; and why."""

    layers: list[WholeNumber]
    why: str


class InferenceChip(Section):
    """An accelerator; ``missing`` lists what would be needed to simulate it."""

    schema_version: Literal[1]
    name: str
    task: str
    source: str
    stated: StatedFigures
    assumed: AssumedShape | None = None
    missing: list[str]

    @property
    def energy_pj(self) -> float | None:
        """Energy of an inference: as stated, or power times latency."""
        stated = self.stated
        if stated.energy is not None or stated.power is None or stated.latency is None:
            return stated.energy
        return stated.power * stated.latency

    @property
    def pj_per_operation(self) -> float | None:
        """Energy of an operation, from power and throughput."""
        stated = self.stated
        if stated.gops is None or stated.power is None:
            return None
        return 1e3 * stated.power / stated.gops


def inference_chips() -> list[str]:
    """Names of the accelerators that ship, sorted."""
    return table_names(CHIP_FOLDER)


def load_inference_chip(
    name_or_path: str | Path, asked_by: str = "inference chip"
) -> InferenceChip:
    """Read an accelerator: one that ships, by its name, or a file.

    Raises:
        ConfigError: there is none, or a key is missing, unknown or of a wrong form.
    """
    table = read_table(CHIP_FOLDER, name_or_path, "inference chip", asked_by)
    return validated(InferenceChip, table.data, table.where, extends="CHIP")
