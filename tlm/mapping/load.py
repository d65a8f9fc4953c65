"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work; bytes from shapes and from what fits the memories. Left out are
halo gradients, pooled copies of the state, and what the burst length adds to short accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tlm.config.dram_timing import load_dram_timing
from tlm.config.schema import ChipConfig
from tlm.mapping.geometry import input_rows, product_rows
from tlm.mapping.grid import Grid
from tlm.mapping.nest import Array, block_sizes, ceil_div
from tlm.mapping.region import Slice, length
from tlm.mapping.work import LayerWork
from tlm.workload.model import NETWORK_INPUT, Layer

DRAM_SHARE = 0.8  # of the peak bandwidth that scattered reads and writes reach (assumed)


@dataclass(frozen=True, slots=True)
class Profile:
    """A layer as recorded, whatever its grid.

    ``spike_bits`` and ``return_bits`` are what its output takes on the wires once forward, and the
    dS of its input once backward from one K-slice; ``optimizer_bits`` an update moves for a weight.
    """

    layer: Layer
    work: LayerWork
    steps: int
    batch: int
    spike_bits: int
    return_bits: int
    optimizer_bits: int

    @property
    def trained_below(self) -> bool:
        """Whether the layer has a BP."""
        return self.layer.sources != (NETWORK_INPUT,)


@dataclass(frozen=True, slots=True)
class Load:
    """Time in ps of every slice on its engines; DRAM bytes; time of the last reduction, in ps."""

    fp_ps: tuple[int, ...]
    bp_ps: tuple[int, ...]
    wg_ps: tuple[int, ...]
    fp_bytes: int
    bp_bytes: int
    wg_bytes: int
    reduce_ps: int


def load_of(profile: Profile, grid: Grid, chip: ChipConfig, array: Array) -> Load:
    """The load of a layer on a grid."""
    parts = grid.slices()
    cycles = profile.work.by_slice(grid)
    times = [
        tuple(int(c) * chip.core.period_of(part.core) for c, part in zip(one, parts, strict=True))
        for one in cycles
    ]
    fp_bits, bp_bits, wg_bits = _dram_bits(profile, parts, chip, array)
    replicas = grid.split.batch * grid.split.spatial
    share = max(_weights(profile.layer, part) for part in parts) // replicas
    ports = share * (replicas - 1) * chip.precision.partial_sum // chip.noc.link
    return Load(
        *times,
        fp_bits // 8,
        bp_bits // 8,
        wg_bits // 8,
        ports * chip.noc.period_ps,
    )


def dram_ps(nbytes: int, chip: ChipConfig) -> int:
    """The time ``nbytes`` take on all channels together."""
    return int(nbytes / (_peak(chip.dram.device) * chip.dram.channels * DRAM_SHARE))


@cache
def _peak(device: str) -> float:
    return load_dram_timing(device).peak_bytes_per_ps


def _weights(layer: Layer, part: Slice) -> int:
    taps = layer.kernel[0] * layer.kernel[1]
    return length(part.neurons.channels) * layer.in_shape[0] * taps


def _dram_bits(
    profile: Profile, parts: list[Slice], chip: ChipConfig, array: Array
) -> tuple[int, int, int]:
    """Bits that FP, BP (with the gradient unit) and WG (with the update) move."""
    layer, precision, memory = profile.layer, chip.precision, chip.core.memory
    _, width, channels = profile.steps, layer.in_shape[2], layer.in_shape[0]
    neurons = layer.out_shape[0] * layer.out_shape[1] * layer.out_shape[2]
    state = neurons * profile.batch * profile.steps * (precision.membrane + 2)
    fp = bp = state if layer.neuron is not None else 0
    wg = layer.out_shape[0] * channels * layer.kernel[0] * layer.kernel[1] * profile.optimizer_bits
    for part in parts:
        samples, rows = length(part.neurons.samples), product_rows(layer, part.neurons.rows)
        weight_bits = _weights(layer, part) * precision.weight
        resident = weight_bits <= memory.weights
        read = length(input_rows(layer, rows)) * width * channels * samples * profile.steps
        fp += weight_bits * _loads(profile, samples, length(rows), layer.product_shape[2], array, resident)
        wg += read
        if profile.trained_below and length(part.input_rows):
            returned = length(part.input_rows)
            bp += weight_bits * _loads(profile, samples, returned, width, array, resident)
            bp += returned * width * channels * samples * profile.steps
        if _weights(layer, part) * precision.partial_sum > memory.accumulators:
            wg += 2 * _weights(layer, part) * precision.partial_sum * samples
    if not profile.trained_below:
        fp += wg
    return fp, bp, wg


def _loads(
    profile: Profile, samples: int, rows: int, width: int, array: Array, resident: bool
) -> int:
    """How often a slice's weights are fetched: once, or once a block."""
    if resident:
        return 1
    return sum(n for _, n in block_sizes(samples, rows, profile.steps, width, array.positions))
