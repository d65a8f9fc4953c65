"""The chip a trace was recorded on, and where its units sit on the mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tlm.config.chip import ChipConfig
from tlm.config.yaml_file import parse_yaml
from tlm.errors import TraceError
from tlm.trace.reader import Trace


def chip_of(trace: Trace) -> ChipConfig:
    """The chip description that the trace carries, checked again.

    Raises:
        TraceError: the trace's configuration is not one of this version.
    """
    try:
        return ChipConfig.model_validate(parse_yaml(trace.config_text, f"{trace.path}: /config"))
    except ValueError as error:
        raise TraceError(
            f"{trace.path}: /config is no chip description of this version "
            f"({str(error).splitlines()[0]}); run the job again"
        ) from error


def nodes_of(trace: Trace, chip: ChipConfig) -> NDArray[np.int64]:
    """Mesh node of every unit, in order of unit ids; -1 of a unit that has none.

    Cores fill the mesh in row-major order; ``chip.dram_nodes`` places the channels.
    """
    nodes = np.full(len(trace.units), -1, dtype=np.int64)
    channels = iter(chip.dram_nodes)
    for index, unit in enumerate(trace.units):
        if unit.kind == "dram":
            nodes[index] = next(channels)
        elif unit.path.startswith("chip.core"):
            nodes[index] = int(unit.path.split(".")[1].removeprefix("core"))
    return nodes
