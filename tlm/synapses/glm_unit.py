"""The logic of GLM neurons with first-to-spike decisions: gates, and energy of their work.

A row of the array has the K weights of a synapse to each of M neurons. A neuron adds them to K
sums. At the end of a step the sums enter K filters of tau steps (shift registers and one or more
multipliers); their outputs add up to the potential, a table shared by all neurons turns it into a
probability, and a comparator sets it against the neuron's LFSR. The arbiter lets the spiking neuron
of lowest index win, and holds the highest potential, which decides where no neuron ever spikes.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.array_core import ArrayCoreTable
from tlm.space.rounding import ceil_div

_LFSR_XORS = 3  # four taps make a register of any of these widths maximal-length


@dataclass(frozen=True)
class GlmUnit:
    """All gates of a core's neurons; energy of a row that arrives and of the end of a step."""

    gates: float
    row_pj: float
    step_pj: float
    step_cycles: int


def glm_unit(core: ArrayCoreTable) -> GlmUnit:
    """The unit of a core."""
    network, widths, gates = core.network, core.widths, core.gates
    outputs, sums = network.outputs.value, network.outputs.value * network.basis.value
    bits, register = widths.sum_bits.value, gates.register_bit.value
    accumulate = sums * bits * (gates.adder_bit.value + register)
    history = sums * network.window.value * bits * register
    product = bits * (
        widths.coefficient_bits.value * gates.multiplier_bit.value
        + gates.adder_bit.value
        + register
    )
    draw = outputs * _draw_gates(core)
    table = widths.table_entries.value * widths.table_bits.value * gates.table_bit.value
    arbiter = outputs * gates.arbiter_input.value + bits * (gates.compare_bit.value + register)
    products = sums * network.window.value
    step = history + products * product + draw + outputs * table + arbiter
    multipliers = widths.multipliers.value
    switched_pj = core.gate.activity.value * core.gate.energy.value
    return GlmUnit(
        gates=accumulate + history + outputs * multipliers * product + draw + table + arbiter,
        row_pj=accumulate * switched_pj,
        step_pj=step * switched_pj,
        step_cycles=ceil_div(network.basis.value * network.window.value, multipliers) + outputs + 1,
    )


def _draw_gates(core: ArrayCoreTable) -> float:
    """A neuron's LFSR and comparator."""
    widths, gates = core.widths, core.gates
    lfsr = widths.lfsr_bits.value * gates.register_bit.value + _LFSR_XORS * gates.xor.value
    return lfsr + widths.table_bits.value * gates.compare_bit.value
