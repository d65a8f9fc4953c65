"""Energy, time and leakage of both passes over a synapse memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.config.tables.synapse_memory import PassCycles, SynapseMemoryTable
from tlm.synapses.access import SynapsePass, passes
from tlm.synapses.convolution_access import convolution_passes
from tlm.synapses.filters import Filters
from tlm.synapses.functional import convolution_named
from tlm.synapses.macro import macro
from tlm.synapses.matrix import SynapseCounts
from tlm.synapses.organisation import named
from tlm.synapses.tables import SynapseTable, total_bits


@dataclass(frozen=True)
class PassCost:
    """Dynamic energy and time of a pass, one step after the other."""

    cycles: int
    memory_pj: float
    controller_pj: float
    time_ps: float

    @property
    def energy_pj(self) -> float:
        """Memories and controller."""
        return self.memory_pj + self.controller_pj


@dataclass(frozen=True)
class SynapseCost:
    """A forward pass, a backward pass with the update, and the power that leaks all the time."""

    forward: PassCost
    backward: PassCost
    leakage_w: float

    @property
    def energy_pj(self) -> float:
        """Dynamic energy of both passes."""
        return self.forward.energy_pj + self.backward.energy_pj


def synapse_cost(
    organisation: str, matrix: SynapseCounts, table: SynapseMemoryTable
) -> SynapseCost:
    """Both passes over all synapses of a matrix: every input sends, every output learns.

    Raises:
        ConfigError: there is no organisation of that name.
    """
    both = passes(organisation, matrix)
    cycles = table.cycles[both.controller]
    return SynapseCost(
        pass_cost(both.forward, cycles.forward, table),
        pass_cost(both.backward, cycles.backward, table),
        leakage_w(named(organisation).tables(matrix), table),
    )


def convolution_cost(organisation: str, filters: Filters, table: SynapseMemoryTable) -> SynapseCost:
    """Both passes over all taps of filters.

    Raises:
        ConfigError: there is no such organisation of a convolution.
    """
    both = convolution_passes(organisation, filters)
    cycles = table.convolution_cycles[organisation]
    return SynapseCost(
        pass_cost(both.forward, cycles.forward, table),
        pass_cost(both.backward, cycles.backward, table),
        leakage_w(convolution_named(organisation).tables(filters), table)
        + table.leakage.window_logic,
    )


def pass_cost(work: SynapsePass, cycles: PassCycles, table: SynapseMemoryTable) -> PassCost:
    """A pass's accesses and cycles; accesses to arrays come on top of the cycles."""
    count = (
        cycles.position * work.positions + cycles.synapse * work.synapses + cycles.row * work.rows
    )
    energy = time = 0.0
    for access in work.accesses:
        held = macro(access.memory, table)
        energy += access.reads * held.read_pj + access.writes * held.write_pj
        time += access.reads * held.read_ps + access.writes * held.write_ps
    controller = table.controller
    return PassCost(count, energy, count * controller.cycle, time + count * 1e12 / controller.clock)


def leakage_w(tables: Sequence[SynapseTable], table: SynapseMemoryTable) -> float:
    """Static power of all bits of a memory."""
    return total_bits(tables) * table.leakage.bit
