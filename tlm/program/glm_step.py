"""The end of a step of GLM neurons: filters of the sums, table, draw, comparator, arbiter.

The unit of ``docs/spinaps-hardware.md``: the K sums of each of M neurons enter K filters of tau
steps, whose products pass the lanes of the soma unit; then every neuron looks its potential up in
the table that all share, and draws; last the arbiter lets one win. Earlier sums, K (tau - 1) words
of a neuron, are read from the memory of U, where the new K take the place of the oldest.
"""

from __future__ import annotations

from tlm.program.builder import wide_accesses
from tlm.program.tile_draft import TileDraft
from tlm.space.rounding import ceil_div
from tlm.workload.glm.neuron import GLMNeuron


def glm_step(
    neuron: GLMNeuron, neurons: int, ends: int, lanes: int, word_bits: int, tile: TileDraft
) -> None:
    """Charge a tile for ``ends`` ends of a step, of all ``neurons`` of a layer each."""
    products = neurons * neuron.functions * neuron.taps
    tile.add_cycles(ends * (ceil_div(products, lanes) + neurons + 1))
    earlier = neuron.functions * (neuron.taps - 1)
    tile.add_energy(
        {
            "fp.glm_product": ends * products,
            "fp.glm_draw": ends * neurons,
            "fp.glm_arbitration": ends,
            "fp.bias_add": ends * neurons,
            "fp.membrane_read": wide_accesses(ends * neurons, earlier * word_bits),
            "fp.membrane_write": wide_accesses(ends * neurons, neuron.functions * word_bits),
        }
    )
