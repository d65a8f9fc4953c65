"""How large the tensors of a job are on a chip: elements times the bits of a word, no padding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.laws.due.operands import branches
from tlm.laws.due.stored import StoredWeights, stored_weights
from tlm.laws.due.trained import trained_numbers
from tlm.laws.due.widths import outcome_bits, output_bits
from tlm.workload.input_kind import network_input_kind
from tlm.workload.model import Addend, Layer, Pool, Recording, Shortcut, Workload, input_frame
from tlm.workload.operand import Reads

ADAM_MOMENTS = 2  # a number of each for everything that is trained


@dataclass(frozen=True)
class JobSizes:
    """Sizes in bits of a mini-batch, all time steps; without a ``recording`` no weight is zero."""

    workload: Workload
    chip: ChipConfig
    recording: Recording | None = None

    @property
    def learns(self) -> bool:
        """Whether anything is trained, so that more than the forward pass is due."""
        return self.workload.learns

    @property
    def pairs(self) -> int:
        """(sample, step) pairs of the mini-batch, without those of samples that have stopped."""
        if self.recording is not None and self.recording.steps_run is not None:
            return int(self.recording.steps_run.sum())
        return self.workload.batch * self.workload.steps

    @cached_property
    def read_layers(self) -> list[Layer]:
        """The layers whose output others read, or add to their currents."""
        read = {source for layer in self.workload.layers for source in layer.reads}
        read |= {
            each.layer
            for layer in self.workload.layers
            for each in layer.shortcuts
            if self.adds_output(each)
        }
        read |= {source for addend in self.addends for source in addend.sources}
        return [layer for layer in self.workload.layers if layer.index in read]

    @cached_property
    def addends(self) -> list[Addend]:
        """All that layers put together and add to their currents."""
        return [layer.addend for layer in self.workload.layers if layer.addend is not None]

    @cached_property
    def heads(self) -> list[Layer]:
        """The layers of which others neither read nor add anything."""
        added = {each.layer for layer in self.workload.layers for each in layer.shortcuts}
        others = [layer for layer in self.workload.layers if layer not in self.read_layers]
        return [layer for layer in others if layer.index not in added]

    def adds_output(self, shortcut: Shortcut) -> bool:
        """Whether a shortcut adds what others read of a layer, not what enters its neurons."""
        return shortcut.of == "spikes" or self.workload.layers[shortcut.layer].neuron is None

    def current(self, layer: Layer) -> int:
        """What enters the neurons of a layer."""
        return self.pairs * prod(layer.out_shape) * self.chip.precision.membrane

    @property
    def pixel(self) -> int:
        """Bits of an element of the network's input in all images that a mini-batch brings."""
        direct = self.workload.encoding == "direct"  # all steps share an image
        images = self.workload.batch if direct else self.pairs
        binary = network_input_kind(self.workload.layers, self.workload.encoding) == "binary"
        return images * (1 if binary else self.chip.precision.input)

    @property
    def network_input(self) -> int:
        """The network's input."""
        return prod(input_frame(self.workload.layers)) * self.pixel

    def read_share(self, source: int, readers: Iterable[Reads], gated: bool = False) -> float:
        """The share of what a source leaves that any of some ``readers`` reads.

        Only what they multiply with others, if ``gated``.
        """
        layers = self.workload.layers
        read = [
            branch
            for layer in readers
            for branch in branches(layer, layers)
            if branch.source == source and branch.gated >= gated
        ]
        needed = [branch.needs(np.ones(branch.behind, np.bool_)) for branch in read]
        return float(np.logical_or.reduce(needed).mean()) if needed else 0.0

    def exact(self, layer: Layer) -> bool:
        """Whether statistics of the whole batch stand between the product and the neurons."""
        return layer.norm is not None and self.chip.mapping.batch_norm == "exact"

    def output_class(self, layer: Layer) -> str:
        """The class of tensor that later layers read: spikes, or values of a layer without any."""
        return "A" if layer.neuron is None else "S"

    def output(self, layer: Layer) -> int:
        """What later layers read: spikes, counts of spikes behind average-pooling, or values."""
        return self.pairs * prod(layer.pooled_shape) * output_bits(layer, self.chip)

    def outcome(self, head: Layer) -> int:
        """What inference hands over to the host of a ``head``: its spikes, or its currents."""
        return self.pairs * prod(head.pooled_shape) * outcome_bits(head, self.chip)

    def winner(self, pool: Pool) -> int:
        """What says which element of a window was the largest."""
        return (pool.size[0] * pool.size[1] - 1).bit_length()

    def parameters(self, layer: Layer) -> dict[str, int]:
        """How many numbers are trained of a layer beside its weights, by parameter."""
        return trained_numbers(layer, self.workload.steps, self.chip.mapping.batch_norm)

    def stored(self, layer: Layer) -> StoredWeights | None:
        """The weights that have a place; None if all have."""
        weights = None if self.recording is None else self.recording.weights
        return stored_weights(layer, self.chip, weights)

    def weights(self, layer: Layer) -> int:
        """How many weights of a layer are stored."""
        stored = self.stored(layer)
        if stored is None:
            return prod(layer.weight_shape)
        return stored.count((0, layer.product_channels))

    def trained(self, layer: Layer) -> int:
        """How many numbers are trained of a layer."""
        return self.weights(layer) + sum(self.parameters(layer).values())

    def moments(self, layer: Layer) -> int:
        """How many moments the optimizer keeps of a layer."""
        if not self.learns:
            return 0
        return ADAM_MOMENTS * self.trained(layer) if self.workload.optimizer == "adam" else 0
