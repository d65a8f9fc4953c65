"""Where the time of the engines went."""

from __future__ import annotations

import math

from tlm.hardware.chip import Chip
from tlm.hardware.core.engine import Engine
from tlm.space.phase import ENGINES
from tlm.space.trace_rows import EngineState
from tlm.trace.summary import EngineTime


def engines_of(chip: Chip, kind: str) -> list[Engine]:
    """The engines of a kind (``fp``, ``bp``, ``wg``) of all cores."""
    return [engine for engine in chip.engines if engine.path.endswith(f".{kind}")]


def engines_part(chip: Chip) -> dict[str, EngineTime]:
    """Shares of time by kind of engine and state, and how many engines computed."""
    return {kind: _engine_time(engines_of(chip, kind), chip.env.now) for kind in ENGINES}


def _engine_time(engines: list[Engine], makespan_ps: int) -> EngineTime:
    computing_ps = [engine.spent_ps[EngineState.COMPUTE] for engine in engines]
    shares = {
        state.reason: sum(engine.spent_ps[state] for engine in engines)
        / (makespan_ps * len(engines))
        for state in EngineState
    }
    shares["unaccounted"] = 1.0 - math.fsum(shares.values())
    return EngineTime(
        shares=shares,
        busiest=max(computing_ps) / makespan_ps,
        cores_computing=sum(time_ps > 0 for time_ps in computing_ps),
    )
