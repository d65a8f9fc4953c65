"""Energy of a run, read from its ``energy.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlm.config.tables.energy_actions import LEAKAGE
from tlm.errors import TraceError
from tlm.files import read_regular
from tlm.trace.energy_csv import COLUMNS, FILE_NAME
from tlm.trace.run_folder import check_folder
from tlm.trace.schema import PHASE_NAMES

_MAX_BYTES = 64 << 20  # more than the rows of the most layers take


@dataclass(frozen=True)
class RunEnergy:
    """One array per column of ``energy.csv``, shape [rows]; ``pj_each``, ``total_pj`` in pJ."""

    component: NDArray[np.str_]
    action: NDArray[np.str_]
    phase: NDArray[np.str_]
    layer: NDArray[np.str_]
    count: NDArray[np.float64]
    pj_each: NDArray[np.float64]
    total_pj: NDArray[np.float64]
    confidence: NDArray[np.str_]

    @property
    def leaks(self) -> NDArray[np.bool_]:
        """Which rows are leakage (power x time) and not actions, [rows]."""
        return np.equal(self.action, LEAKAGE)

    @property
    def components(self) -> tuple[str, ...]:
        """Components by falling energy, leakage included."""
        names = sorted(set(self.component.tolist()))
        return tuple(sorted(names, key=lambda name: -self._sum(self.component == name)))

    @property
    def phases(self) -> tuple[str, ...]:
        """Phases of the rows that are not leakage, in training order, unknown ones last."""
        order = {name: place for place, name in enumerate(PHASE_NAMES)}
        names = sorted(set(self.phase[~self.leaks].tolist()))
        return tuple(sorted(names, key=lambda name: order.get(name, len(order))))

    def dynamic_pj(self, component: str, phase: str) -> float:
        """Energy of a component's actions in one phase, pJ."""
        return self._sum((self.component == component) & (self.phase == phase) & ~self.leaks)

    def leakage_pj(self, component: str) -> float:
        """Leakage energy of a component, pJ."""
        return self._sum((self.component == component) & self.leaks)

    def _sum(self, rows: NDArray[np.bool_]) -> float:
        return float(self.total_pj[rows].sum())


def read_energy(run_dir: str | Path) -> RunEnergy:
    """Read the energy table of a run folder.

    Raises:
        TraceError: the file is missing, or a row is not what a run writes.
    """
    path = Path(run_dir) / FILE_NAME
    check_folder(path.parent)
    try:
        text = read_regular(path, _MAX_BYTES).decode("utf-8")
        reader = csv.DictReader(StringIO(text, newline=""), restval="")
        columns = tuple(reader.fieldnames or ())
        rows = list(reader)
    except (ValueError, csv.Error) as error:
        raise TraceError(f"{path}: {error}; give the folder of a finished run") from None
    if columns != COLUMNS:
        raise TraceError(f"{path}: expected the columns {','.join(COLUMNS)}")
    return RunEnergy(
        component=_texts(rows, "component"),
        action=_texts(rows, "action"),
        phase=_texts(rows, "phase"),
        layer=_texts(rows, "layer"),
        count=_numbers(path, rows, "count"),
        pj_each=_numbers(path, rows, "pj_each"),
        total_pj=_numbers(path, rows, "total_pj"),
        confidence=_texts(rows, "confidence"),
    )


def _texts(rows: list[dict[str, str]], column: str) -> NDArray[np.str_]:
    return np.array([row[column] for row in rows], dtype=np.str_)


def _numbers(path: Path, rows: list[dict[str, str]], column: str) -> NDArray[np.float64]:
    values = np.empty(len(rows))
    for i, row in enumerate(rows):
        try:
            values[i] = float(row[column])
        except (TypeError, ValueError):
            raise TraceError(
                f"{path}: row {i + 2}: {column}: expected a number, got {row[column]!r}"
            ) from None
    return values
