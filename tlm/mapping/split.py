"""Splits: cut a layer over channels, samples and rows, and choose the cut that costs least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.config.schema import ChipConfig
from tlm.errors import MappingError
from tlm.mapping.nest import (
    Array,
    blocks,
    bp_dense_cycles,
    fp_dense_cycles,
    wg_dense_cycles,
)
from tlm.mapping.region import Region, Slice, Span, cuts, length
from tlm.workload.model import Layer, Workload


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


def input_rows(layer: Layer, rows: Span) -> Span:
    """Input rows that a span of output rows reads, clipped to the image."""
    stride, pad, kernel = layer.stride[0], layer.padding[0], layer.kernel[0]
    low = max(0, rows[0] * stride - pad)
    return (low, max(low, min(layer.in_shape[1], (rows[1] - 1) * stride + kernel - pad)))


def output_rows(layer: Layer, rows: Span) -> Span:
    """Output rows whose dU a span of input rows needs in BP, clipped to the image."""
    stride, pad, kernel = layer.stride[0], layer.padding[0], layer.kernel[0]
    low = max(0, -(-(rows[0] + pad - kernel + 1) // stride))
    return (low, max(low, min(layer.out_shape[1], (rows[1] - 1 + pad) // stride + 1)))


def slices_of(layer: Layer, batch: int, split: Split, array: Array) -> list[Slice]:
    """The slices of a split, one a core; cores are numbered with channels varying fastest.

    Rows are cut at multiples of the pooling stride, so that every pooled row has one owner.
    """
    k, e, _ = layer.out_shape
    quantum = layer.pool.stride if layer.pool else 1
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
    quantum = layer.pool.stride if layer.pool else 1
    most_k = -(-layer.out_shape[0] // array.tile) if kind in ("auto", "k") else 1
    most_b = batch if kind in ("auto", "batch") else 1
    most_s = -(-layer.out_shape[1] // quantum) if kind in ("auto", "spatial") else 1
    for k in range(1, min(cores, most_k) + 1):
        for b in range(1, min(cores // k, most_b) + 1):
            for s in range(1, min(cores // (k * b), most_s) + 1):
                yield Split(k, b, s)


def dense_cycles(layer: Layer, steps: int, part: Slice, array: Array) -> int:
    """Closed-form FP + BP + WG cycles of one slice, every slot executed."""
    region, width = part.neurons, layer.out_shape[2]
    total = sum(
        fp_dense_cycles(layer, array, block, region.channels)
        for block in blocks(region.samples, region.rows, steps, width, array.positions)
    )
    if layer.index:
        total += sum(
            bp_dense_cycles(layer, array, block, region.channels)
            for block in blocks(
                region.samples, part.input_rows, steps, layer.in_shape[2], array.positions
            )
        )
    positions = length(region.samples) * length(region.rows) * width * steps
    return total + wg_dense_cycles(layer, array, positions, region.channels)


def fits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> bool:
    """Whether the slice's dU of one sample and all steps fits the gradient memory."""
    return gradient_bits(layer, steps, part, chip) <= chip.core.memory.gradients


def gradient_bits(layer: Layer, steps: int, part: Slice, chip: ChipConfig) -> int:
    """Bits of a slice's dU of one sample and all steps."""
    region = part.neurons
    neurons = length(region.channels) * length(region.rows) * layer.out_shape[2]
    return neurons * steps * chip.precision.gradient


def traffic_ps(layer: Layer, split: Split, parts: list[Slice], chip: ChipConfig) -> int:
    """Estimate of the time the split's weight traffic takes, in ps.

    Weights are read in FP and BP by every replica through the mesh ports of the DRAM channels;
    dW partial sums leave every replica but for its own share through its port.
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
    cycles = read_bits // (port_bits_per_cycle * chip.dram.channels)
    return (cycles + reduce_bits // port_bits_per_cycle) * chip.noc.period_ps


def choose_split(workload: Workload, layer: Layer, chip: ChipConfig, array: Array) -> Split:
    """The split with the least slowest-core time plus weight traffic; ties to fewer cores.

    Raises:
        MappingError: no split of the wanted kind fits the memories.
    """
    best: tuple[int, int, Split] | None = None
    kind = chip.mapping.split
    for split in candidates(layer, workload.batch, chip.cores, kind, array):
        parts = slices_of(layer, workload.batch, split, array)
        if len(parts) != split.parts:
            continue
        if not all(fits(layer, workload.steps, part, chip) for part in parts):
            continue
        slowest = max(dense_cycles(layer, workload.steps, part, array) for part in parts)
        cost = slowest * chip.core.period_ps + traffic_ps(layer, split, parts, chip)
        if best is None or (cost, split.parts) < best[:2]:
            best = (cost, split.parts, split)
    if best is None:
        raise MappingError(
            f"layer {layer.name}: no {kind} split over {chip.cores} cores fits its dU of one "
            "sample into core.memory.gradients; use mapping.split auto, more cores, or a larger "
            "memory"
        )
    return best[2]
