"""The logic of GLM neurons with first-to-spike decisions: gates, and energy of their work.

A row of the array has the K weights of a synapse to each of M neurons. A neuron adds them to K
sums. At the end of a step the sums enter K filters of tau steps (shift registers and one or more
multipliers); their outputs add up to the potential, a table shared by all neurons turns it into a
probability, and a comparator sets it against the neuron's LFSR. The arbiter lets the spiking neuron
of lowest index win, and holds the highest potential, which decides where no neuron ever spikes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from tlm.config.tables.array_core import ArrayCoreTable

_LFSR_XORS = 3  # four taps make a register of any of these widths maximal-length


@dataclass(frozen=True)
class GlmUnit:
    """All gates of a core's neurons; energies of their work; cycles at the end of a step.

    ``row_pj`` is that of a row that arrives. At the end of a step there are ``products``, a tap of
    a filter each, a draw of each of the ``neurons``, and an arbitration.
    """

    gates: float
    row_pj: float
    product_pj: float
    draw_pj: float
    arbitration_pj: float
    products: int
    neurons: int
    step_cycles: int

    @property
    def step_pj(self) -> float:
        """Energy of the end of a step."""
        work = self.products * self.product_pj + self.neurons * self.draw_pj
        return work + self.arbitration_pj


def glm_unit(core: ArrayCoreTable) -> GlmUnit:
    """The unit of a core."""
    network, widths, gates = core.network, core.widths, core.gates
    outputs, sums = network.outputs.value, network.outputs.value * network.basis.value
    bits, register = widths.sum_bits.value, gates.register_bit.value
    accumulate = sums * bits * (gates.adder_bit.value + register)
    tap = bits * register  # of the shift register behind a sum
    product = bits * (
        widths.coefficient_bits.value * gates.multiplier_bit.value
        + gates.adder_bit.value
        + register
    )
    lfsr = _draw_gates(core)
    table = widths.table_entries.value * widths.table_bits.value * gates.table_bit.value
    highest = bits * (gates.compare_bit.value + register)
    taps = sums * network.window.value
    neuron = lfsr + gates.arbiter_input.value
    multipliers = widths.multipliers.value
    switched_pj = core.gate.activity.value * core.gate.energy.value
    return GlmUnit(
        gates=accumulate
        + taps * tap
        + outputs * (multipliers * product + neuron)
        + table
        + highest,
        row_pj=accumulate * switched_pj,
        product_pj=(tap + product) * switched_pj,
        draw_pj=(neuron + table) * switched_pj,
        arbitration_pj=highest * switched_pj,
        products=taps,
        neurons=outputs,
        step_cycles=ceil(network.basis.value * network.window.value / multipliers) + outputs + 1,
    )


def _draw_gates(core: ArrayCoreTable) -> float:
    """A neuron's LFSR and comparator."""
    widths, gates = core.widths, core.gates
    lfsr = widths.lfsr_bits.value * gates.register_bit.value + _LFSR_XORS * gates.xor.value
    return lfsr + widths.table_bits.value * gates.compare_bit.value
