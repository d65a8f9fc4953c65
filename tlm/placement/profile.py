"""Profiles: what is known of a layer before it is cut; made from the recorded masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.layer_weights import LayerWeights, layer_weights
from tlm.counts.masks import Masks
from tlm.placement.measured_work import LayerMasks, measure_work, work_of_units
from tlm.placement.work_map import WorkMap
from tlm.space.array_types import Bools, Ints
from tlm.space.feeds import Feed, feeds_of, merged, operand_shape, terms_of
from tlm.space.region import Span, length
from tlm.space.rounding import ceil_div
from tlm.workload.model import NETWORK_INPUT, Addend, Layer, Shape3, Shortcut, Workload
from tlm.workload.readers import addends_of, adds_output, shortcuts_from


@dataclass(frozen=True, slots=True)
class Profile:
    """A layer as recorded, and as the chip stores its weights, whatever its grid.

    ``held_bits`` are those of an element that a matmul has in the place of a weight, else 0;
    ``spike_bits`` is what its output takes on the wires once, ``return_bits`` what dS of its input
    takes back from one K-slice, of which ``returned`` elements are needed; ``moment_bits`` those of
    the optimizer's moments of a weight. ``has_readers`` says that other layers read it,
    ``has_m`` that its m says anything, and ``m_read`` is how many of its sources have such m;
    ``waits_for_batch`` says that batch statistics keep its currents waiting. Its input has
    ``input_steps`` in DRAM, one if all steps share an image; FP multiplies ``walked_steps`` of
    them. ``added_bits`` are those of all that its shortcuts and its addend add, ``returned_bits``
    those of all dI of later layers that add its output (``output_adders``) or its current
    (``current_adders``), and of what dI is multiplied with. ``learns`` says that BP, WG and update
    follow; ``live_steps`` [B] counts the steps of a sample whose gradient is not skipped whole.
    ``feeds`` say what it reads of its sources, put together in the ``operand`` grid.
    """

    layer: Layer
    weights: LayerWeights
    work: WorkMap
    steps: int
    batch: int
    operand_bits: int
    held_bits: int
    spike_bits: int
    returned: int
    return_bits: int
    moment_bits: int
    waits_for_batch: bool
    input_steps: int
    walked_steps: int
    has_readers: bool
    added_bits: int
    returned_bits: int
    current_adders: int
    output_adders: int
    has_m: bool
    m_read: int
    learns: bool
    live_steps: Ints
    feeds: Sequence[Feed]
    operand: Shape3

    @property
    def read_bits(self) -> int:
        """Bits of an input element in DRAM: a spike of each source, or a value."""
        if self.layer.operand is None:
            return max(self.operand_bits, len(self.layer.sources))
        terms = [length(strand.channels) for feed in self.feeds for strand in feed.strands]
        return max(self.operand_bits, ceil_div(sum(terms), self.operand[0]))

    @property
    def gate_bits(self) -> float:
        """Bits of each element of the operand that BP reads: spikes that are multiplied."""
        parts = () if self.layer.operand is None else self.layer.operand.gated
        return sum(part.channels * len(part.factors) for _, part in parts) / self.operand[0]

    def share_of(self, source: int) -> float:
        """The share of its input that a source has a part in."""
        if self.layer.operand is None:
            return 1.0
        strands = next((feed.strands for feed in self.feeds if feed.source == source), ())
        return sum(map(length, merged(s.channels for s in strands))) / self.operand[0]

    @property
    def network_share(self) -> float:
        """The share of its input that is the network's, which comes from DRAM in any case."""
        if NETWORK_INPUT not in self.layer.sources:
            return 0.0
        if self.layer.operand is None:
            return 1 / len(self.layer.sources)
        return self.share_of(NETWORK_INPUT)

    @property
    def output_bits(self) -> int:
        """Bits of an output in DRAM: a spike, a count of spikes, or a value."""
        return self.spike_bits // (prod(self.layer.pooled_shape) * self.batch * self.steps)

    def live_blocks(self, samples: Span, together: int) -> float:
        """The share of blocks of ``together`` samples in which some gradient is not skipped."""
        live = self.live_steps[slice(*samples)] > 0
        blocks = [live[at : at + together].any() for at in range(0, len(live), together)]
        return sum(blocks) / len(blocks)

    def live_share(self, samples: Span, steps: int) -> float:
        """The share of data of ``steps`` steps of some samples that go with live gradients."""
        live = self.live_steps[slice(*samples)]
        return float(((live > 0) if steps == 1 else live / self.steps).mean())

    @property
    def output_read(self) -> bool:
        """Whether other layers read its output or add it."""
        return self.has_readers or self.output_adders > 0

    @property
    def head(self) -> bool:
        """Whether no other layer reads it or adds anything of it."""
        return not (self.output_read or self.current_adders)

    @property
    def has_bp(self) -> bool:
        """Whether dS goes further back than this layer."""
        return bool(self.layer.producers)


def multiplied_once(workload: Workload, layer: Layer, chip: ChipConfig) -> bool:
    """Whether FP multiplies an image once; a wavefront comes back to the layer for every step."""
    mapping = chip.mapping
    return (
        _shared_image(workload, layer)
        and mapping.static_input == "once"
        and mapping.schedule != "wavefront"
    )


def _shared_image(workload: Workload, layer: Layer) -> bool:
    return bool(layer.sources) and not layer.producers and workload.encoding == "direct"


def output_width(layer: Layer, chip: ChipConfig) -> int:
    """Bits of an output: counts of spikes where an average is pooled, values without neurons."""
    if layer.neuron is None:
        return chip.precision.input
    pool = layer.pool
    return pool.places.bit_length() if pool is not None and pool.kind != "max" else 1


def _held_bits(workload: Workload, layer: Layer, chip: ChipConfig) -> int:
    """Bits in DRAM of an element that a matmul holds, of all layers it is read of; else 0."""
    sources = () if layer.held is None else dict.fromkeys(layer.held.sources)
    return sum(output_width(workload.layers[source], chip) for source in sources)


def _added_bits(shortcut: Shortcut, layers: Sequence[Layer], chip: ChipConfig) -> int:
    """Bits of what a shortcut adds, of one sample and step."""
    source = layers[shortcut.layer]
    if adds_output(shortcut, layers):
        return prod(source.pooled_shape) * output_width(source, chip)
    return prod(source.out_shape) * chip.precision.membrane


def _gathered_bits(addend: Addend, layers: Sequence[Layer], chip: ChipConfig) -> int:
    """Bits of what an addend is put together of, of one sample and step."""
    channels, height, _ = operand_shape(addend, layers)
    bits = 0
    for feed in feeds_of(addend, layers):
        spans, rows = feed.read((0, channels), (0, height))
        elements = sum(map(length, spans)) * length(rows) * feed.shape[2]
        bits += elements * output_width(layers[feed.source], chip)
    return bits


def _multiplied_bits(addend: Addend, source: int, layers: Sequence[Layer], chip: ChipConfig) -> int:
    """Bits of what the gradient of a source is multiplied with on its way from an addend."""
    bits = 0
    for term in terms_of(addend, layers):
        others = [factor for factor in term if factor[0] != source]
        for at, strand in others if len(others) < len(term) else ():
            (channels, rows) = strand.read(strand.channels, (0, strand.shapes[-1][1]))
            elements = length(channels) * length(rows) * strand.shapes[0][2]
            bits += elements * output_width(layers[at], chip)
    return bits


def profile_layer(
    workload: Workload,
    layer: Layer,
    masks: Masks,
    live: Bools,
    chip: ChipConfig,
    arrays: CoreArrays,
) -> Profile:
    """Measure a layer; ``live`` [T, B] is false where a gradient slice is skipped whole."""
    index, precision = layer.index, chip.precision
    need = masks.input_need(index) if layer.producers else None
    once = multiplied_once(workload, layer, chip)
    weights = layer_weights(layer, masks, chip, arrays)
    if layer.multiplies:
        recorded = LayerMasks(masks.inputs(index), masks.dY(index), need, live, once)
        work = measure_work(weights, recorded, chip, arrays)
    else:
        work = work_of_units(layer, live, arrays)
    returned = 0 if need is None else int(np.count_nonzero(need))
    moments = 2 * precision.optimizer if workload.optimizer == "adam" else 0
    pairs, layers = workload.batch * workload.steps, workload.layers
    adders, gatherers = shortcuts_from(index, layers), addends_of(index, layers)
    outputs = sum(adds_output(each, layers) for _, each in adders)
    returned_dI = sum(prod(reader.out_shape) for reader, _ in (*adders, *gatherers))
    added = sum(_added_bits(each, layers, chip) for each in layer.shortcuts)
    if layer.addend is not None:
        added += _gathered_bits(layer.addend, layers, chip)
    multiplied = sum(_multiplied_bits(each, index, layers, chip) for _, each in gatherers)
    return Profile(
        layer=layer,
        weights=weights,
        work=work,
        steps=workload.steps,
        batch=workload.batch,
        operand_bits=masks.operand_bits(layer, precision.input),
        held_bits=_held_bits(workload, layer, chip),
        spike_bits=prod(layer.pooled_shape)
        * workload.batch
        * workload.steps
        * output_width(layer, chip),
        returned=returned,
        return_bits=(0 if need is None else need.size) + returned * precision.gradient,
        moment_bits=moments,
        waits_for_batch=layer.norm is not None and chip.mapping.batch_norm == "exact",
        input_steps=1 if _shared_image(workload, layer) else workload.steps,
        walked_steps=1 if once else workload.steps,
        has_m=masks.has_m(index),
        m_read=sum(masks.has_m(at) for at in layer.producers if at in layer.sources),
        has_readers=any(index in reader.reads for reader in workload.layers),
        added_bits=pairs * added,
        returned_bits=pairs * (returned_dI * precision.gradient + multiplied),
        current_adders=len(adders) - outputs,
        output_adders=outputs + len(gatherers),
        learns=workload.learns,
        live_steps=np.count_nonzero(live, axis=0),
        feeds=feeds_of(layer, workload.layers),
        operand=operand_shape(layer, workload.layers) if layer.sources else layer.in_shape,
    )
