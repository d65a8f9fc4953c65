"""The tables of a run as pandas data frames (extra ``frames``)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from analysis.energy import read_energy
from tlm.errors import TraceError
from tlm.trace import Trace
from tlm.trace.schema import COMMAND_NAMES, NONE, PHASE_NAMES, PHASE_NONE, WHAT_NAMES

if TYPE_CHECKING:
    import pandas


def transactions_frame(trace: Trace) -> pandas.DataFrame:
    """One row a transaction: the columns of the trace, units and enumerations by name.

    Raises:
        TraceError: pandas is not installed.
    """
    pandas = _pandas()
    frame = pandas.DataFrame(trace.transactions)
    paths = [unit.path for unit in trace.units]
    for column in ("initiator", "target"):
        frame[column] = pandas.Categorical.from_codes(frame[column], paths)
    frame["command"] = pandas.Categorical.from_codes(frame["command"], COMMAND_NAMES)
    return _with_phases(pandas, frame)


def activity_frame(trace: Trace) -> pandas.DataFrame:
    """One row an interval: the columns of the trace, units and enumerations by name.

    Raises:
        TraceError: pandas is not installed.
    """
    pandas = _pandas()
    frame = pandas.DataFrame(trace.activity)
    frame["unit"] = pandas.Categorical.from_codes(frame["unit"], [u.path for u in trace.units])
    frame["what"] = pandas.Categorical.from_codes(frame["what"], WHAT_NAMES)
    return _with_phases(pandas, frame)


def energy_frame(run_dir: str | Path) -> pandas.DataFrame:
    """One row a line of ``energy.csv``.

    Raises:
        TraceError: pandas is not installed, or the file is missing or wrong.
    """
    pandas = _pandas()
    energy = read_energy(run_dir)
    return pandas.DataFrame(
        {
            "component": energy.component,
            "action": energy.action,
            "phase": energy.phase,
            "layer": energy.layer,
            "count": energy.count,
            "pj_each": energy.pj_each,
            "total_pj": energy.total_pj,
        }
    )


def _with_phases(pandas: ModuleType, frame: pandas.DataFrame) -> pandas.DataFrame:
    codes = np.where(frame["phase"] == PHASE_NONE, NONE, frame["phase"].astype(int))
    frame["phase"] = pandas.Categorical.from_codes(codes, PHASE_NAMES)
    return frame


def _pandas() -> ModuleType:
    try:
        return import_module("pandas")
    except ImportError:
        raise TraceError(
            "data frames need pandas: pip install 'snn-tlm[frames]', or use the NumPy arrays"
        ) from None
