"""The least DRAM bytes: what no plan of a job on a chip can avoid, whatever its algorithm.

The network's input is read. What an iteration trains and its moments live all the time, and the
spikes that WG will read live between FP and BP: what of them exceeds the SRAM of all cores together
goes out to DRAM, and what is trained comes back with its moments (an argument as in Hong and Kung,
"I/O complexity: the red-blue pebble game", STOC 1981). Whether spikes come back is left out,
because WG skips slices whose dY is zero. Batch statistics need the whole batch, so the spikes of
all samples before such a layer live together; the others may be run sample by sample.
In inference only the weights live, which are not written, and the outcome leaves the chip.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.config.tables.core_sram import capacity_bits
from tlm.laws.due.operands import branches, operand_shape
from tlm.laws.due.rows import tap_places
from tlm.laws.job_sizes import JobSizes
from tlm.workload.model import NETWORK_INPUT, Layer, Recording, Workload


def least_nbytes(workload: Workload, chip: ChipConfig, recording: Recording | None = None) -> int:
    """DRAM bytes that no plan of this job on this chip can avoid.

    A plan rounds words that are no whole number of bytes piece by piece: of those the whole bytes
    count. Of stored weights, without a ``recording`` all.
    """
    sizes, precision = JobSizes(workload, chip, recording), chip.precision
    moments = sum(sizes.moments(layer) for layer in workload.layers)
    trained = sum(sizes.trained(layer) for layer in workload.layers)
    living = trained * precision.weight + moments * precision.optimizer
    living_nbytes = trained * (precision.weight // 8) + moments * (precision.optimizer // 8)
    together, alone = _living_spikes(sizes) if sizes.learns else (0, 0)
    room = capacity_bits(chip.core) * chip.cores
    excess = 0
    # What saves most bytes a bit takes its place first.
    for bits, nbytes in (
        (alone, alone * workload.batch // 8),
        (living, (1 + sizes.learns) * living_nbytes),
        (together, together // 8),
    ):
        if bits > room:
            excess += nbytes * (bits - room) // bits
        room = max(0, room - bits)
    outcome = 0 if sizes.learns else sum(map(sizes.outcome, sizes.heads))
    return (_least_input(sizes) + outcome) // 8 + excess


def _living_spikes(sizes: JobSizes) -> tuple[int, int]:
    """Bits of spikes that WG reads: those that all samples keep, and a sample of the others."""
    before: set[int] = set()
    for layer in reversed(sizes.workload.layers):
        if sizes.exact(layer) or layer.index in before:
            before |= set(layer.sources)
    together = alone = 0
    multiplied = {source for layer in sizes.workload.layers for source in layer.sources}
    for layer in (each for each in sizes.workload.layers if each.index in multiplied):
        bits = int(sizes.output(layer) * sizes.read_share(layer.index, sizes.workload.layers))
        if layer.neuron is not None:  # a pool may have more bits than the spikes behind it
            bits = min(bits, sizes.pairs * prod(layer.out_shape))
        if layer.index in before:
            together += bits
        else:
            alone += bits // sizes.workload.batch
    return together, alone


def _least_input(sizes: JobSizes) -> int:
    """Bits of the network's input under the windows of the reader that reaches most of it."""
    layers = sizes.workload.layers
    readers = [layer for layer in layers if NETWORK_INPUT in layer.sources]
    return sizes.pixel * max(_input_elements(layer, layers) for layer in readers)


def _input_elements(layer: Layer, layers: Sequence[Layer]) -> int:
    """Elements of the network's input that come under a layer's windows."""
    _, *shape = operand_shape(layer, layers)
    rows, columns = (sorted(_reached(layer, side, whole)) for side, whole in enumerate(shape))
    needed = []
    for branch in branches(layer, layers):
        if branch.source == NETWORK_INPUT:
            flags = np.zeros(branch.behind, np.bool_)
            flags[:, np.array(rows, int)[:, None], columns] = True
            needed.append(branch.needs(flags))
    return int(np.logical_or.reduce(needed).sum())


def _reached(layer: Layer, side: int, whole: int) -> set[int]:
    """Rows (``side`` 0) or columns, of ``whole`` of its operand, that a layer reads."""
    if layer.kind == "linear":
        return set(range(whole))
    window = (tap_places(layer)[side], layer.stride[side], layer.padding[side])
    places = _under(range(layer.product_shape[1 + side]), window, layer.in_shape[1 + side])
    pool = layer.input_pool
    if pool is not None:
        window = (range(pool.size[side]), pool.stride[side], pool.padding[side])
        places = _under(places, window, whole)
    return places


def _under(outputs: Collection[int], window: tuple[range, int, int], end: int) -> set[int]:
    """Places below ``end`` under the windows (taps, stride, padding) of some outputs."""
    taps, stride, padding = window
    places = (at * stride - padding + tap for at in outputs for tap in taps)
    return {place for place in places if 0 <= place < end}
