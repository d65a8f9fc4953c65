"""The accesses of a pass over all synapses of a convolution, table by table.

Every tap of every window is walked, those in the padding too: published energies and times at
images of 28 x 28 and 128 x 128 are in the ratio of these taps within 0.1 %, of those in the image
within 4 %. Weights are read at every tap, in the backward pass read and written.
"""

from __future__ import annotations

from tlm.space.rounding import ceil_div
from tlm.synapses.access import SynapsePass, SynapsePasses, TableAccess
from tlm.synapses.filters import Filters
from tlm.synapses.functional import convolution_named
from tlm.synapses.packing import index_bits
from tlm.synapses.tables import SynapseTable

WINDOW_BITS = 4
"""Bits of a word of the table of windows: assumed."""
_CASE_READS = {"pb-bmp": (1, 3), "func-bmp": (5, 5)}
"""Reads per tap, forward and backward, of the bits of a window's case at the border: calibrated."""


def convolution_passes(organisation: str, filters: Filters) -> SynapsePasses:
    """Both passes over the synapses of filters in an organisation.

    Raises:
        ConfigError: there is no such organisation of a convolution.
    """
    convolution_named(organisation)
    channels, *window = filters.codes.shape[1:]
    rows, columns = filters.positions
    windows = len(filters.codes) * channels * rows * columns
    taps = windows * window[0] * window[1]
    weights = SynapseTable("weights", filters.codes.size, filters.width)
    forward, backward = [TableAccess(weights, taps)], [TableAccess(weights, taps, taps)]
    if organisation in _CASE_READS:
        case = SynapseTable("bitmap", 1, window[0] * window[1])
        for accesses, reads in zip((forward, backward), _CASE_READS[organisation], strict=True):
            accesses.append(TableAccess(case, reads * taps))
    if organisation == "pb-csr":
        _add_lists(filters, taps, forward, backward)
    return SynapsePasses(
        organisation,
        SynapsePass(tuple(forward), taps, taps, windows),
        SynapsePass(tuple(backward), taps, taps, windows),
    )


def _add_lists(
    filters: Filters, taps: int, forward: list[TableAccess], backward: list[TableAccess]
) -> None:
    """PB-CSR: each entry has the index of its filter; a backward pass reads windows and weights.

    Assumed, but for the one cell that says how much energy it takes.
    """
    index = SynapseTable("reverse", filters.codes.size, index_bits(len(filters.codes)))
    rows, columns = filters.positions
    words = ceil_div(len(filters.codes) * rows * columns, WINDOW_BITS)
    windows = SynapseTable("windows", words, WINDOW_BITS)
    forward.append(TableAccess(index, taps))
    backward.extend(
        (
            TableAccess(index, taps),
            TableAccess(backward[0].memory, taps),
            TableAccess(windows, ceil_div(taps, WINDOW_BITS)),
        )
    )
