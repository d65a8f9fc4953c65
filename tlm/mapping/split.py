"""Splits: cut a layer over channels, samples and rows, and choose the cut that costs least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from tlm.config.schema import ChipConfig
from tlm.mapping.geometry import output_rows, product_rows, row_quantum
from tlm.mapping.nest import (
    Array,
    block_sizes,
    bp_dense_cycles,
    fp_dense_cycles,
    wg_dense_cycles,
)
from tlm.mapping.region import Region, Slice, cuts, length
from tlm.workload.model import NETWORK_INPUT, Layer, Workload


@dataclass(frozen=True, slots=True)
class Split:
    """Parts over output channels, samples and rows; their product is the number of cores used."""

    k: int
    batch: int
    spatial: int

    @property
    def parts(self) -> int:
        """Cores the split occupies."""
        return self.k * self.batch * self.spatial


def slices_of(layer: Layer, batch: int, split: Split, array: Array) -> list[Slice]:
    """The slices of a split, one a core; cores are numbered with channels varying fastest.

    Rows are cut at multiples of the pooling stride, so that every pooled row has one owner; not at
    all where pooling windows overlap.
    """
    k, e, _ = layer.out_shape
    quantum = row_quantum(layer) or e
    channel_cuts = cuts(k, split.k, array.tile)
    row_cuts = cuts(e, split.spatial, quantum)
    input_cuts = cuts(layer.in_shape[1], len(row_cuts))
    input_cuts += [(layer.in_shape[1],) * 2] * (len(row_cuts) - len(input_cuts))
    found: list[Slice] = []
    for samples in cuts(batch, split.batch):
        for rows, rows_in in zip(row_cuts, input_cuts, strict=True):
            for channels in channel_cuts:
                region = Region(channels, samples, rows)
                found.append(Slice(len(found), len(found), region, rows_in))
    return found


def candidates(layer: Layer, batch: int, cores: int, kind: str, array: Array) -> Iterator[Split]:
    """All splits of the wanted kind that the cores and the layer's shape allow."""
    quantum = row_quantum(layer) or layer.out_shape[1]
    most_k = -(-layer.out_shape[0] // array.tile) if kind in ("auto", "k") else 1
    most_b = batch if kind in ("auto", "batch") else 1
    most_s = -(-layer.out_shape[1] // quantum) if kind in ("auto", "spatial") else 1
    for k in range(1, min(cores, most_k) + 1):
        for b in range(1, min(cores // k, most_b) + 1):
            for s in range(1, min(cores // (k * b), most_s) + 1):
                yield Split(k, b, s)


def dense_cycles(layer: Layer, steps: int, part: Slice, array: Array) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width = part.neurons, layer.product_shape[2]
    samples, rows = length(region.samples), length(product_rows(layer, region.rows))
    total = sum(
        n * fp_dense_cycles(layer, array, p, region.channels)
        for p, n in block_sizes(samples, rows, steps, width, array.positions)
    )
    if layer.sources != (NETWORK_INPUT,) and length(part.input_rows):
        total += sum(
            n * bp_dense_cycles(layer, array, p, region.channels)
            for p, n in block_sizes(
                samples, length(part.input_rows), steps, layer.in_shape[2], array.positions
            )
        )
    return total + wg_dense_cycles(layer, array, samples * rows * width * steps, region.channels)


def gradient_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of the dY of one sample and all steps that a slice holds: its own and BP's halo."""
    rows = product_rows(layer, part.neurons.rows)
    if length(part.input_rows) and layer.sources != (NETWORK_INPUT,):
        read = output_rows(layer, part.input_rows)
        rows = (min(rows[0], read[0]), max(rows[1], read[1]))
    values = length(part.neurons.channels) * length(rows) * layer.product_shape[2]
    return values * steps * chip.precision.gradient


def traffic_ps(
    workload: Workload,
    layer: Layer,
    split: Split,
    parts: list[Slice],
    chip: ChipConfig,
    needed: int,
) -> int:
    """Estimate of the time the split's own traffic takes, in ps.

    Weights are read in FP and BP by every replica through the mesh ports of the DRAM channels;
    dW partial sums leave every replica but for its own share through its port. A dY that does not
    fit the gradient memory is written once and read twice; partial dS of channel cuts that do not
    fit the memory they arrive in, of ``needed`` elements, are written and read once a cut.
    """
    c, (r, s) = layer.in_shape[0], layer.kernel
    weights = layer.out_shape[0] * c * r * s
    replicas = split.batch * split.spatial
    port_bits_per_cycle = chip.noc.link
    read_bits = weights * chip.precision.weight * replicas * (2 if layer.index else 1)
    share = max(length(part.neurons.channels) for part in parts) * c * r * s
    reduce_bits = share * chip.precision.partial_sum * (replicas - 1) // replicas
    if share * chip.precision.partial_sum > chip.core.memory.accumulators:
        read_bits += 2 * weights * chip.precision.partial_sum * replicas  # dW spilled
    pairs = workload.batch * workload.steps
    if max(gradient_bits(layer, workload.steps, part, chip) for part in parts) > (
        chip.core.memory.gradients
    ):
        read_bits += 3 * prod(layer.product_shape) * pairs * chip.precision.gradient
    partial_bits = split.k * chip.precision.partial_sum
    if split.k > 1 and needed * partial_bits > chip.core.memory.spike_gradients * split.parts:
        read_bits += 2 * prod(layer.in_shape) * pairs * partial_bits
    cycles = read_bits // (port_bits_per_cycle * chip.dram.channels)
    return (cycles + reduce_bits // port_bits_per_cycle) * chip.noc.period_ps


def choose_split(
    workload: Workload, layer: Layer, chip: ChipConfig, array: Array, needed: int
) -> Split:
    """The split with the least slowest-core time plus traffic; ties to fewer cores.

    ``needed`` elements of dX have to be returned by BP.
    """
    best: tuple[int, int, Split] | None = None
    kind = chip.mapping.split
    for split in candidates(layer, workload.batch, chip.cores, kind, array):
        parts = slices_of(layer, workload.batch, split, array)
        if len(parts) != split.parts:
            continue
        slowest = max(dense_cycles(layer, workload.steps, part, array) for part in parts)
        cost = slowest * chip.core.period_ps + traffic_ps(
            workload, layer, split, parts, chip, needed
        )
        if best is None or (cost, split.parts) < best[:2]:
            best = (cost, split.parts, split)
    assert best is not None  # the whole layer on one core is always a candidate
    return best[2]
