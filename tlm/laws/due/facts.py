"""The facts that all amounts follow from: the job, its masks, the chip's settings, the plan's cut.

What the settings decide (policies, slices that are skipped) is derived here once more; of the plan
only the cut, the place of every tensor and what stays in the cores are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.laws.due.masks import PooledMasks, input_bits, product_gradients
from tlm.laws.due.operands import Branch, branches, operand_shape
from tlm.laws.due.placement import LaidOutLayer, PlacedBatch, PlacedTensor
from tlm.laws.due.saved import constants_of_gradient, saved_state
from tlm.laws.due.stored import INDEX, REVERSE, StoredWeights, stored_weights
from tlm.laws.due.trained import NORM_PARAMETERS, of_the_layer, trained_numbers
from tlm.space.array_types import Bools
from tlm.space.layer_cut import Store
from tlm.space.phase import Phase
from tlm.space.region import Slice, Span, length
from tlm.space.tile import Extent
from tlm.workload.model import NETWORK_INPUT, Addend, Layer, Pool, Recording, Workload
from tlm.workload.packed import samples_of


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """A tensor in DRAM: its ``key`` in the layer, its name, where it lies, bits of an element."""

    key: str
    name: str
    at: Extent
    bits: int


class Adder(NamedTuple):
    """A later layer, the ``reader``, that adds what a layer leaves to its currents.

    Through ``pool``; ``of_output``: what later layers read, else what enters the neurons.
    """

    reader: int
    of_output: bool
    pool: Pool | None


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What the laws know of one layer.

    ``producers`` are the indices of the distinct layers that it reads (none: the network's input),
    ``consumers`` of those that read it, ``adders`` those that add what it leaves to their currents,
    ``gathered`` the addends of later layers that it is a source of, with their layers.
    ``exact``: batch statistics stand between the product and the neurons; ``scaled``: frozen
    statistics scale the product. ``state`` is how BP gets U.
    ``live`` [T, B] is false where the whole dY is zero and skipped. ``inputs_sent``, ``dS_sent``
    and ``dY_sent`` say that these data go from core to core, not through DRAM; ``W_stays`` and
    ``moments_stay`` that the weights and their moments stay in the cores from one mini-batch to the
    next; ``Y_stays`` and ``W_stays_in`` in which of FP and BP all of them stays in the cores.
    ``dI_again`` says that dI is made a second time. ``input_bits`` is the width of an input;
    ``stored`` are the weights that have a place, None if every one has, ``numbers`` those that are
    trained beside them, by parameter. FP has ``input_room`` bits of a core for rows of its inputs
    from DRAM, BP ``dY_rows_room`` for those of dY.
    """

    layer: Layer
    slices: Sequence[Slice]
    producers: Sequence[int]
    consumers: Sequence[int]
    adders: Sequence[Adder]
    gathered: Sequence[tuple[int, Addend]]
    exact: bool
    scaled: bool
    state: str
    live: Bools
    inputs_sent: bool
    dS_sent: bool
    dY_sent: bool
    W_stays: bool
    moments_stay: bool
    Y_stays: Sequence[str]
    W_stays_in: Sequence[str]
    dI_again: bool
    input_bits: int
    stored: StoredWeights | None
    numbers: Mapping[str, int]
    input_room: int
    dY_rows_room: int
    tensors: Sequence[TensorPlace]
    weights: Sequence[TensorPlace]

    @property
    def index(self) -> int:
        """The layer's number in the job."""
        return self.layer.index

    @property
    def head(self) -> bool:
        """Whether no layer reads it: the loss does, or the host."""
        return not (self.consumers or self.adders or self.gathered)

    def adders_of(self, output: bool) -> list[Adder]:
        """Those that add its output, or those that add what enters its neurons."""
        return [adder for adder in self.adders if adder.of_output == output]

    @property
    def dY_phase(self) -> Phase:
        """The phase that makes dY: behind batch statistics a second pass."""
        return Phase.NORM_GRAD if self.exact else Phase.GRAD

    @property
    def saved(self) -> tuple[str, ...]:
        """What BP needs of its neurons: U, S, m, or some of them."""
        return saved_state(self.layer)

    @property
    def constants_of_gradient(self) -> set[str]:
        """Constants by channel that the gradient unit needs: all where U follows from Y."""
        if self.exact and self.state == "recompute":
            return set(self.layer.channel_constants)
        return constants_of_gradient(self.layer)

    @property
    def recomputed(self) -> bool:
        """Whether FP computes the currents and U a second time, for BP."""
        return self.state == "recompute" and not self.exact and bool(self.saved)

    @property
    def channel_sums(self) -> int:
        """Gradients that channels sum by themselves: of a bias, of a norm by frozen statistics, of
        what neurons learn by channel.
        """
        elsewhere = {*of_the_layer(self.layer), *(NORM_PARAMETERS if self.exact else ())}
        return sum(n for name, n in self.numbers.items() if name not in elsewhere)

    @property
    def trained_count(self) -> int:
        """All that is trained of the layer."""
        return self.weight_count + sum(self.numbers.values())

    @property
    def layer_numbers(self) -> int:
        """Numbers of no channel: all slices have shares of their gradients."""
        return sum(self.numbers.get(name, 0) for name in of_the_layer(self.layer))

    @property
    def replicas(self) -> int:
        """How many slices hold the same weights."""
        return len(self.slices) // self.channel_parts

    @property
    def channel_parts(self) -> int:
        """How many parts the output channels are cut into."""
        return len({part.neurons.channels for part in self.slices})

    @property
    def row_parts(self) -> int:
        """How many parts the rows of the output are cut into."""
        return len({part.neurons.rows for part in self.slices})

    @property
    def weight_count(self) -> int:
        """Stored weights of the layer."""
        return self._count((0, self.layer.product_channels))

    def weights_of(self, part: Slice) -> int:
        """Stored weights of a slice: those of its output channels."""
        return self._count(part.neurons.channels)

    def _count(self, channels: Span) -> int:
        if self.stored is not None:
            return self.stored.count(channels)
        return length(channels) * prod(self.layer.weight_shape[1:])

    def words_of(self, engine: str, part: Slice) -> int:
        """Words of a weight's width that an engine reads of a slice's weights."""
        if self.stored is None:
            return self.weights_of(part)
        return self.stored.words(engine, part.neurons.channels)

    def rewired(self, share: float) -> dict[str, int]:
        """Words of each table beside the weights that an update rewrites, by all owners together.

        Replicas own equal parts of what their slices' tables take.
        """
        words = dict.fromkeys((INDEX, REVERSE), 0)
        for channels in {part.neurons.channels for part in self.slices if self.stored is not None}:
            for table in words:
                assert self.stored is not None
                whole = self.stored.beside(table, channels)
                ends = [whole * at // self.replicas for at in range(self.replicas + 1)]
                words[table] += sum(ceil(share * (b - a)) for a, b in pairwise(ends))
        return words

    def product_rows(self, part: Slice) -> range:
        """Product rows that a slice computes: all, if currents are pooled."""
        if self.layer.current_pool is not None:
            return range(self.layer.product_shape[1])
        return range(*part.neurons.rows)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the laws know of a placed mini-batch; ``tensors`` are all that lie in DRAM.

    ``masks`` are those of ``recording`` behind pools.
    """

    workload: Workload
    recording: Recording
    chip: ChipConfig
    layers: Sequence[LayerFacts]
    tensors: Sequence[TensorPlace]
    masks: PooledMasks = field(repr=False)

    @property
    def by_step(self) -> bool:
        """Whether FP runs by time step: in a wavefront, and where samples stop by themselves."""
        return self.chip.mapping.schedule == "wavefront" or self.recording.steps_run is not None

    @property
    def learns(self) -> bool:
        """Whether anything is due behind the forward pass."""
        return self.workload.learns

    @property
    def phases(self) -> Sequence[Phase]:
        """The phases that may be due."""
        return list(Phase) if self.learns else [Phase.FP]

    @property
    def running(self) -> Bools:
        """Which pairs are due, [T, B]: of samples that stop early those until an output spike."""
        spikes = self.recording.spikes[-1]
        running = np.ones(spikes.shape[:2], np.bool_)
        if self.recording.steps_run is not None:
            running[1:] = spikes.any(axis=(2, 3, 4)).cumsum(axis=0)[:-1] == 0
        return running

    @property
    def pairs(self) -> int:
        """(sample, step) pairs of the mini-batch that are due."""
        return int(self.running.sum())

    def pairs_of(self, part: Slice) -> int:
        """Those of a slice's samples."""
        return int(self.running[:, slice(*part.neurons.samples)].sum())

    def of_samples(self, span: Span) -> Recording:
        """The recording of some samples alone; they count from the first."""
        whole, some = self.recording, slice(*span)
        direct = self.workload.encoding == "direct"
        spikes, masks, dU, dY = (
            samples_of(kind, some) for kind in (whole.spikes, whole.masks, whole.dU, whole.dY)
        )
        inputs = whole.inputs[some] if direct else whole.inputs[:, some]
        kept = {index: elements[:, some] for index, elements in whole.kept.items()}
        return Recording(whole.iteration, inputs, spikes, masks, dU, dY, kept=kept)

    def masks_of(self, span: Span) -> PooledMasks:
        """The masks of some samples alone."""
        return PooledMasks(self.workload, self.of_samples(span))

    def among(self, indices: Sequence[int]) -> list[LayerFacts]:
        """The layers of some indices."""
        return [self.layers[index] for index in indices]

    def walked_steps(self, facts: LayerFacts) -> int:
        """Time steps that FP multiplies: one if all share an image and run together."""
        once = self.chip.mapping.static_input == "once" and not self.by_step
        return 1 if once and self.input_steps(facts) == 1 else self.workload.steps

    def input_steps(self, facts: LayerFacts) -> int:
        """Time steps of a layer's input in DRAM: 1 if all steps share a directly coded image."""
        pixels = bool(facts.layer.sources) and not facts.producers
        direct = pixels and self.workload.encoding == "direct"
        return 1 if direct else self.workload.steps

    def operand_shape(self, facts: LayerFacts) -> tuple[int, int, int]:
        """Shape (C, H, W) of what a layer reads, before ``input_pool``."""
        return operand_shape(facts.layer, self.workload.layers)

    def branches(self, facts: LayerFacts, source: int | None = None) -> list[Branch]:
        """All that a layer reads, or what of one source."""
        read = branches(facts.layer, self.workload.layers)
        return [branch for branch in read if source in (None, branch.source)]


def facts_of(plan: PlacedBatch, recording: Recording) -> Facts:
    """The facts of a planned mini-batch, whose masks are ``recording``."""
    workload, chip = plan.workload, plan.chip
    masks = PooledMasks(workload, recording)
    sources = [_producers(layer) for layer in workload.layers]
    layers = [
        _layer_facts(
            layer_plan,
            plan,
            masks,
            sources[layer_plan.layer.index],
            [index for index, read in enumerate(sources) if layer_plan.layer.index in read],
        )
        for layer_plan in plan.layers
    ]
    tensors = [_place(name, tensor) for name, tensor in plan.addresses.tensors.items()]
    return Facts(workload, recording, chip, layers, tensors, masks)


def _producers(layer: Layer) -> list[int]:
    read = layer.sources if layer.held is None else (*layer.sources, *layer.held.sources)
    return [source for source in dict.fromkeys(read) if source != NETWORK_INPUT]


def _layer_facts(
    layer_plan: LaidOutLayer,
    plan: PlacedBatch,
    masks: PooledMasks,
    producers: list[int],
    consumers: list[int],
) -> LayerFacts:
    layer, chip, recording = layer_plan.layer, plan.chip, masks.recording
    policy = None if layer.norm is None else chip.mapping.batch_norm
    keeps, learns = chip.mapping.parameters == "auto", plan.workload.learns
    return LayerFacts(
        layer=layer,
        slices=layer_plan.cut.slices,
        producers=producers,
        consumers=consumers,
        adders=[
            Adder(reader.index, each.of == "spikes" or layer.neuron is None, each.pool)
            for reader in plan.workload.layers
            for each in reader.shortcuts
            if each.layer == layer.index
        ],
        gathered=[
            (reader.index, reader.addend)
            for reader in plan.workload.layers
            if reader.addend is not None and layer.index in reader.addend.sources
        ],
        exact=policy == "exact",
        scaled=policy == "frozen",
        state=_state(layer_plan, chip) if learns else "dropped",
        live=_live(plan.workload, layer, chip, recording),
        inputs_sent=bool(producers) and layer_plan.stored.inputs == "memory",
        dS_sent=learns and layer_plan.stored.dS == "memory",
        dY_sent=learns and layer.multiplies and layer_plan.stored.dY == "memory",
        W_stays=keeps and layer_plan.stored.W == "memory",
        moments_stay=learns and keeps and layer_plan.stored.moments == "memory",
        Y_stays=_engines(layer_plan.stored.Y_forward, layer_plan.stored.Y_backward),
        W_stays_in=_engines(
            layer_plan.stored.W_forward, layer_plan.stored.W_backward if learns else "dram"
        )
        * keeps,
        stored=stored_weights(layer, chip, recording.weights),
        numbers=trained_numbers(layer, plan.workload.steps, chip.mapping.batch_norm),
        dI_again=policy == "exact" and layer_plan.stored.dI == "recompute",
        input_bits=input_bits(masks, layer, chip.precision.input),
        input_room=layer_plan.stored.input_room,
        dY_rows_room=layer_plan.stored.dY_rows_room,
        tensors=[_place(key, tensor) for key, tensor in layer_plan.addressed.tensors.items()],
        weights=[_place(key, tensor) for key, tensor in layer_plan.addressed.weights.items()],
    )


def _engines(forward: Store, backward: Store) -> list[str]:
    """The engines in whose time something stays in the cores."""
    return ["fp"] * (forward == "memory") + ["bp"] * (backward == "memory")


def _state(layer_plan: LaidOutLayer, chip: ChipConfig) -> str:
    """How BP gets U: as was asked, or as was planned if that was to be chosen.

    What there is nothing of is not made again.
    """
    if not saved_state(layer_plan.layer):
        return "spill"
    asked = dict(chip.mapping.states).get(layer_plan.layer.name, chip.mapping.state)
    return layer_plan.stored.state if asked == "auto" else asked


def _live(workload: Workload, layer: Layer, chip: ChipConfig, recording: Recording) -> Bools:
    """(step, sample) pairs whose dY is computed: batch statistics leave no slice without."""
    if not workload.learns:
        return np.zeros(recording.spikes[layer.index].shape[:2], np.bool_)
    exact = layer.norm is not None and chip.mapping.batch_norm == "exact"
    dY = product_gradients(workload.layers, layer, recording, exact)
    if exact or not chip.core.skip_slices:
        return np.ones(dY.shape[:2], np.bool_)
    return np.asarray(dY.any(axis=(2, 3, 4)))


def _place(key: str, tensor: PlacedTensor) -> TensorPlace:
    return TensorPlace(key, tensor.name, (tensor.address, tensor.nbytes), tensor.bits)
