"""GSOPS/W/mm2 of a core with STT-RAM over that of its twin with SRAM, and what moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import NamedTuple

from tests.evidence.spreads import spreads, with_value
from tlm.config.tables.array_core import ArrayCoreTable, load_array_core
from tlm.config.tables.spread import Spread
from tlm.config.tables.synapse_array import SynapseArrayTable, load_synapse_array
from tlm.synapses.array_core import StepCost, step_cost

PUBLISHED = 4.0
STEP_TIME = "work.step_time"
ARRAY = "array."  # before the name of a parameter of the arrays


@dataclass(frozen=True)
class Twins:
    """A core, its twin, and the arrays of both."""

    core: ArrayCoreTable
    sram: ArrayCoreTable
    arrays: SynapseArrayTable

    @property
    def costs(self) -> tuple[StepCost, StepCost]:
        """A step of the core, and of the twin."""
        return step_cost(self.core, self.arrays), step_cost(self.sram, self.arrays)

    @property
    def ratio(self) -> float:
        """How many times the twin's GSOPS/W/mm2 the core has."""
        core, sram = self.costs
        return core.gsops_per_w_mm2 / sram.gsops_per_w_mm2

    @property
    def parameters(self) -> dict[str, Spread[float]]:
        """All that has a range, by name; both twins have the parameters of the core."""
        return spreads(self.core) | {
            ARRAY + name: spread for name, spread in spreads(self.arrays).items()
        }

    def at(self, name: str, value: float) -> Twins:
        """The same with another value of a parameter."""
        if name.startswith(ARRAY):
            return replace(self, arrays=with_value(self.arrays, name.removeprefix(ARRAY), value))
        core, sram = (with_value(core, name, value) for core in (self.core, self.sram))
        return replace(self, core=core, sram=sram)


@cache
def twins(name: str = "spinaps") -> Twins:
    """A core that ships beside ``spinaps-sram``."""
    core = load_array_core(name)
    return Twins(core, load_array_core("spinaps-sram"), load_synapse_array(core.array))


def least_step_ps(pair: Twins, ratio: float = PUBLISHED) -> float:
    """The shortest step with which the core is ``ratio`` times as good; infinite if none is.

    A step of time t takes D + P t in each twin: what it does, and what leaks.
    """
    core, sram = pair.at(STEP_TIME, 0.0).costs
    core_w, sram_w = (cost.leakage_pj / cost.time_ps for cost in (core, sram))
    gain = sram.area_mm2 * sram_w - ratio * core.area_mm2 * core_w
    lack = ratio * core.area_mm2 * _work_pj(core) - sram.area_mm2 * _work_pj(sram)
    if lack <= gain * core.time_ps:
        return core.time_ps
    return lack / gain if gain > 0 else inf


def _work_pj(cost: StepCost) -> float:
    return cost.array_pj + cost.logic_pj


class Swing(NamedTuple):
    """The ratio with a parameter at its low and at its high value."""

    name: str
    low: float
    high: float

    @property
    def size(self) -> float:
        """How far the two are apart."""
        return abs(self.high - self.low)


def tornado(pair: Twins, without: Sequence[str] = ()) -> list[Swing]:
    """All parameters that move the ratio, the strongest first."""
    swings = [
        Swing(name, pair.at(name, spread.low).ratio, pair.at(name, spread.high).ratio)
        for name, spread in pair.parameters.items()
        if name not in without
    ]
    return sorted((swing for swing in swings if swing.size > 1e-9), key=lambda swing: -swing.size)


def favourable(pair: Twins, without: Sequence[str] = ()) -> list[tuple[str, float]]:
    """Parameters set to the end of their range that helps most, one after another.

    Each with the ratio that is then reached, until none helps any more.
    """
    steps: list[tuple[str, float]] = []
    left = {name: each for name, each in pair.parameters.items() if name not in without}
    while left:
        best, name = max(
            (
                (pair.at(name, end), name)
                for name, each in left.items()
                for end in (each.low, each.high)
            ),
            key=lambda option: option[0].ratio,
        )
        if best.ratio <= pair.ratio * (1 + 1e-9):
            break
        pair = best
        steps.append((name, pair.ratio))
        del left[name]
    return steps
