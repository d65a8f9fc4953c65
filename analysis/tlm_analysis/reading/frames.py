"""A run's tables as pandas frames, names in the place of numbers (extra ``frames``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tlm.errors import TraceError
from tlm.space.trace_rows import NONE
from tlm.trace import Trace, energy_csv
from tlm.trace.schema import COMMAND_NAMES, PHASE_NAMES, STATE_NAMES

if TYPE_CHECKING:
    import pandas


def trace_frame(trace: Trace, table: str, layers: Sequence[str]) -> pandas.DataFrame:
    """A table of the trace, ``transactions`` or ``activity``; times in ps, sizes in bytes.

    Units, commands, phases, states and layers are categories, missing where a row has none.

    Raises:
        TraceError: pandas is not installed.
    """
    pandas = _pandas()
    paths = [unit.path for unit in trace.units]
    categories: dict[str, Sequence[str]] = {
        "unit": paths,
        "initiator": paths,
        "target": paths,
        "command": COMMAND_NAMES,
        "phase": PHASE_NAMES,
        "what": STATE_NAMES,
        "layer": layers,
    }
    rows = trace.transactions if table == "transactions" else trace.activity
    columns = {
        name: _categorical(pandas, rows[name], categories[name])
        if name in categories
        else rows[name]
        for name in rows.dtype.names or ()
    }
    return pandas.DataFrame(columns)


def energy_frame(run_dir: str | Path, layers: Sequence[str]) -> pandas.DataFrame:
    """``energy.csv``: count times pJ of every (component, action, phase, layer), with its source.

    Raises:
        TraceError: pandas is not installed, or the file is missing.
    """
    pandas = _pandas()
    path = Path(run_dir) / energy_csv.FILE_NAME
    if not path.is_file():
        raise TraceError(f"{path}: no such file; give the folder of a finished run")
    frame = pandas.read_csv(path, dtype={"layer": "Int64"})
    numbers = frame["layer"].fillna(NONE).to_numpy(dtype=np.int64)
    return frame.assign(layer=_categorical(pandas, numbers, layers))


def _categorical(pandas: Any, numbers: NDArray[Any], names: Sequence[str]) -> Any:
    """Numbers as categories; one beyond the names (255, -1) stands for none."""
    codes = np.where(numbers < len(names), numbers.astype(np.int64), NONE)
    return pandas.Categorical.from_codes(codes, categories=list(names))


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise TraceError("data frames need the extra frames: pip install pandas") from error
    return pandas
