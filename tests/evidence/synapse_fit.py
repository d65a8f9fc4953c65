"""Fits the constants of the table ``memory-organisation`` to its calibration cells alone.

``python -m tests.evidence.synapse_fit`` prints every constant, fitted and as the table has it.
Least squares of relative errors (Gauss-Newton, Levenberg's damping), where an error above 5 %
counts by its size and no longer by its square: a cell that no rule explains moves little. A weak
pull towards the start decides what the cells leave open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tlm.config.quantities import Section
from tlm.config.tables.synapse_memory import SynapseMemoryTable, load_synapse_memory
from tlm.space.array_types import Floats
from tlm.synapses.published import PublishedCell, errors, published_cells

# Where each constant starts: an order of magnitude.
START: dict[str, float] = {
    "register_file.read.fixed": 0.1,
    "register_file.read.kib": 0.1,
    "register_file.write.fixed": 0.5,
    "register_file.write.kib": 0.1,
    "sram.read.fixed": 3.0,
    "sram.read.root_kib": 0.3,
    "sram.read.column": 0.015,
    "sram.write.root_kib": 0.5,
    "sram.write.column": 0.02,
    "sram.access.fixed": 100.0,
    "sram.access.root_kib": 20.0,
    "sram.access.write_factor": 1.5,
    "controller.cycle": 0.03,
}
ENERGY_AND_TIME = ("forward_uj", "backward_uj", "forward_ms", "backward_ms")
TURN = 0.05  # the relative error from which on it counts by its size
PULL = 1e-4
ROUNDS = 60


def calibration_cells(table: SynapseMemoryTable) -> tuple[PublishedCell, ...]:
    """The cells that the table names; each must be among the published ones."""
    cells = {cell.key: cell for cell in published_cells()}
    return tuple(cells[key] for key in table.calibration)


def with_constants(table: SynapseMemoryTable, values: Sequence[float]) -> SynapseMemoryTable:
    """The table with a value for every constant of ``START``."""
    for name, value in zip(START, values, strict=True):
        table = _changed(table, name.split("."), float(value))
    return table


def residuals(table: SynapseMemoryTable, cells: Sequence[PublishedCell]) -> Floats:
    """Relative errors in energy and time of cells, in order."""
    measured = (errors(cell, table) for cell in cells)
    return np.array([each[name] for each in measured for name in ENERGY_AND_TIME])


def fitted(table: SynapseMemoryTable, cells: Sequence[PublishedCell]) -> Floats:
    """The constants that fit cells best, in the order of ``START``."""
    start = np.array(list(START.values()))

    def measure(scale: Floats) -> Floats:
        return residuals(with_constants(table, scale * start), cells)

    scale, damping = np.ones(len(start)), 1e-2
    for _ in range(ROUNDS):
        step = _step(measure, scale, damping)
        better = _loss(measure(scale + step), scale + step) < _loss(measure(scale), scale)
        scale, damping = (scale + step, damping / 3) if better else (scale, damping * 4)
    return np.asarray(scale * start)


def value(section: object, name: str) -> float:
    """The constant of a dotted name."""
    for part in name.split("."):
        section = getattr(section, part)
    assert isinstance(section, float)
    return section


def main() -> None:
    """Print the constants."""
    table = load_synapse_memory()
    for name, constant in zip(START, fitted(table, calibration_cells(table)), strict=True):
        print(f"{name:28} {constant:9.4g}  (table: {value(table, name):.4g})")


def _step(measure: Callable[[Floats], Floats], scale: Floats, damping: float) -> Floats:
    """The damped step of Gauss and Newton."""
    size, small = len(scale), 1e-6
    now = measure(scale)
    slopes = np.array([(measure(scale + small * unit) - now) / small for unit in np.eye(size)]).T
    weights = 1 / np.sqrt(1 + (now / TURN) ** 2)
    normal = slopes.T @ (slopes * weights[:, None]) + PULL * np.eye(size)
    downhill = -slopes.T @ (weights * now) - PULL * (scale - 1)
    return np.asarray(np.linalg.solve(normal + damping * np.diag(np.diag(normal)), downhill))


def _loss(errors_: Floats, scale: Floats) -> float:
    """What is made small; no constant may be negative."""
    if (scale < 0).any():
        return float("inf")
    robust = 2 * TURN**2 * (np.sqrt(1 + (errors_ / TURN) ** 2) - 1)
    return float(robust.sum() + PULL * ((scale - 1) ** 2).sum())


def _changed(section: Section, path: Sequence[str], value: float) -> Section:
    name, *rest = path
    inner = _changed(getattr(section, name), rest, value) if rest else value
    return section.model_copy(update={name: inner})


if __name__ == "__main__":
    main()
