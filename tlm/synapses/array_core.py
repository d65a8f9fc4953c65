"""An inference core in closed form: an array of synapses, a row read for each input spike.

    energy of a step = spikes (row read + its additions) + end of step + leakage x time of the step
    GSOPS/W/mm2 = synaptic operations / (energy x area)

A synaptic operation is an input spike at one output, whatever the weights of the synapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from tlm.config.tables.array_core import ArrayCoreTable
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import SynapseArrayTable


@dataclass(frozen=True)
class StepCost:
    """Work, time, energy and area of a core over a mean step."""

    synaptic_operations: float
    time_ps: float
    array_pj: float
    logic_pj: float
    leakage_pj: float
    array_mm2: float
    logic_mm2: float

    @property
    def energy_pj(self) -> float:
        """Array, logic and leakage."""
        return self.array_pj + self.logic_pj + self.leakage_pj

    @property
    def area_mm2(self) -> float:
        """Array and logic."""
        return self.array_mm2 + self.logic_mm2

    @property
    def gsops_per_w_mm2(self) -> float:
        """Billions of synaptic operations a second, by watt and square millimetre."""
        return 1e3 * self.synaptic_operations / self.energy_pj / self.area_mm2


def step_cost(core: ArrayCoreTable, table: SynapseArrayTable) -> StepCost:
    """What a mean step of a core takes, with the arrays of a table.

    Raises:
        ConfigError: the table has no such technology.
    """
    array, unit = core_array(core, table), glm_unit(core)
    spikes, gate = core.work.spikes.value, core.gate
    period_ps = 1e12 / core.clock.value
    cycles = spikes * ceil(array.read_ps / period_ps) + unit.step_cycles
    time_ps = max(cycles * period_ps, core.work.step_time.value)
    gates = unit.gates + core.gates.control.value
    leakage_w = array.leakage_w + gates * gate.leakage.value
    return StepCost(
        synaptic_operations=spikes * core.network.outputs.value,
        time_ps=time_ps,
        array_pj=spikes * array.read_pj,
        logic_pj=spikes * unit.row_pj + unit.step_pj,
        leakage_pj=leakage_w * time_ps,
        array_mm2=array.area_mm2,
        logic_mm2=gates * gate.area.value / gate.floor_share.value * 1e-6,
    )
