"""The plan: for every layer of a recorded iteration its split, policies, counts and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate, pairwise
from typing import Literal, Protocol

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.layer_weights import LayerWeights
from tlm.counts.layer_work import LayerWork
from tlm.counts.masks import Masks
from tlm.counts.ways import partial_gradients
from tlm.placement.schedule import Schedule, layers_overlap
from tlm.placement.search import Chosen
from tlm.space.array_types import Bools, Ints
from tlm.space.feeds import Feed, Strand, merged
from tlm.space.geometry import fed_rows, finished_rows, input_rows, pooled_rows, source_rows
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerCut, LayerStores, StatePolicy
from tlm.space.region import Region, Slice, Span, cuts, length
from tlm.space.tile import Extent
from tlm.storage.address import Allocator, Tensor, TiledTensor
from tlm.workload.model import (
    NETWORK_INPUT,
    Addend,
    Layer,
    Neuron,
    Pool,
    Shape3,
    Shortcut,
    Workload,
)
from tlm.workload.operand import Reads

NormPolicy = Literal["exact", "frozen", "folded"]


@dataclass(slots=True)
class LayerTensors:
    """A layer's tensors in DRAM, by what they hold: "U", "S", "dY", "W", ...

    ``sources`` are those that it reads, one for each of its feeds; ``output`` is what others read
    of it: a shape alone where no copy lies in DRAM. ``tensors`` are of neurons and products,
    ``held`` those that a matmul reads in the place of weights.
    """

    sources: list[Tensor]
    tensors: dict[str, Tensor]
    weights: dict[str, TiledTensor]
    output: Tensor | None = None
    held: list[Tensor] = field(default_factory=list)

    def trained(self, name: str) -> list[TiledTensor]:
        """A trained tensor and the optimizer's moments of it."""
        prefix = "" if name == "W" else f"{name}."
        keys = (name, f"{prefix}moment1", f"{prefix}moment2")
        return [self.weights[key] for key in keys if key in self.weights]

    def read_by(self, engine: str) -> list[TiledTensor]:
        """The tables that an engine reads of the weights."""
        reverse = engine == "bp" and "W.reverse" in self.weights
        keys = ("W", "W.reverse" if reverse else "W.index")
        return [self.weights[key] for key in keys if key in self.weights]


@dataclass(frozen=True, slots=True, eq=False)
class HeldFeeds:
    """What a matmul reads in the place of weights: feeds, put together in a ``grid`` (C, H, W)."""

    feeds: list[Feed]
    grid: Shape3


@dataclass(frozen=True, slots=True, eq=False)
class Adding:
    """A shortcut: the currents of ``reader`` take up what ``source``, an earlier layer, leaves.

    ``of_output``: its output, behind its pool; else what enters its neurons.
    """

    source: LayerPlan
    reader: LayerPlan
    shortcut: Shortcut
    of_output: bool

    @property
    def tensor(self) -> Tensor:
        """What is added, in DRAM."""
        output = self.source.addressed.output
        if not self.of_output or output is None:
            return self.source.addressed.tensors["I"]
        return output

    def runs(self, region: Region, steps: Span) -> tuple[Extent, ...]:
        """The runs of what is added to a region of the reader's products."""
        tensor = self.tensor
        rows = pooled_rows(self.shortcut.pool, region.rows, tensor.rows)
        return tensor.runs(region.samples, steps, region.channels, rows)

    @property
    def deciding(self) -> list[LayerPlan]:
        """The layers that say where dI flows: the reader, if it pools the largest currents."""
        return [self.reader] if "winner" in self.reader.addressed.tensors else []

    def returned(self, region: Region, steps: Span) -> tuple[Extent, ...]:
        """The runs of the reader's dI that flow to a region of what is added, and of what says
        which element of its window a pool of currents took.
        """
        layer, tensors = self.reader.layer, self.reader.addressed.tensors
        rows = fed_rows(self.shortcut.pool, region.rows, layer.product_shape[1])
        if length(rows):
            rows = fed_rows(layer.current_pool, rows, layer.out_shape[1])
        flowing = [tensors[key] for key in ("dI", "winner") if key in tensors]
        return tuple(
            run
            for tensor in flowing
            for run in tensor.runs(region.samples, steps, region.channels, rows)
        )


class PutTogether(Protocol):
    """What is read of several sources and put together."""

    @property
    def feeds(self) -> Sequence[Feed]:
        """What is read of every distinct source."""

    @property
    def operand(self) -> Shape3:
        """The grid (C, H, W) that it is put together in."""

    @property
    def input_pool(self) -> Pool | None:
        """What it passes then."""

    @property
    def sums(self) -> list[tuple[Span, int]]:
        """Channels of the operand, and additions that make one element of them; ANDs count, too."""


@dataclass(frozen=True, slots=True, eq=False)
class AddendFeeds:
    """An addend: ``feeds`` of some of ``layers``, put together in the ``operand`` grid (C, H, W).

    ``terms`` have the same strands by term, each with its source.
    """

    addend: Addend
    layers: list[LayerPlan]
    feeds: list[Feed]
    terms: list[list[tuple[int, Strand]]]
    operand: Shape3

    @property
    def input_pool(self) -> Pool | None:
        """What it passes when it is put together."""
        return self.addend.input_pool

    @property
    def sums(self) -> list[tuple[Span, int]]:
        """Channels of the operand, and additions that make one element of them."""
        return _sums(self.addend, self.operand)

    @property
    def producers(self) -> list[LayerPlan]:
        """The layers that it is made of."""
        return [self.layers[feed.source] for feed in self.feeds]

    def wanted(self, product: Region) -> Region:
        """The region of the operand that is added to a region of products."""
        rows = pooled_rows(self.input_pool, product.rows, self.operand[1])
        return product._replace(rows=rows)

    def runs(self, region: Region, steps: Span) -> tuple[Extent, ...]:
        """The DRAM runs of what a region of the operand is put together of."""
        tensors = [self.tensor(feed.source) for feed in self.feeds]
        return _runs(_regions_read(self.feeds, tensors, region), steps)

    def tensor(self, source: int) -> Tensor:
        """What a source leaves, in DRAM."""
        output = self.layers[source].addressed.output
        assert output is not None
        return output


@dataclass(frozen=True, slots=True, eq=False)
class Gathering:
    """A ``source`` of the addend of a ``reader``, a later layer."""

    source: LayerPlan
    reader: LayerPlan
    addend: AddendFeeds
    of_output: bool = True

    @property
    def deciding(self) -> list[LayerPlan]:
        """The layers that say where dI flows: it is multiplied with what they left."""
        others = {at: None for _, term in self._factors() for at, _ in term}
        return [self.addend.layers[at] for at in others]

    def returned(self, region: Region, steps: Span) -> tuple[Extent, ...]:
        """The runs of the reader's dI that flow to a region of what the source leaves, and of what
        it is multiplied with on its way.
        """
        dI, pool = self.reader.addressed.tensors["dI"], self.addend.input_pool
        runs = list[Extent]()
        for strand, others in self._factors():
            channels, rows = strand.fed(region.channels, region.rows)
            boxes = [(dI, (channels, fed_rows(pool, rows, dI.rows)))] if length(rows) else []
            boxes += [(self.addend.tensor(at), each.read(channels, rows)) for at, each in others]
            for tensor, (some, lines) in boxes:
                if length(some) and length(lines):
                    runs += tensor.runs(region.samples, steps, some, lines)
        return tuple(dict.fromkeys(runs))

    def _factors(self) -> Iterator[tuple[Strand, list[tuple[int, Strand]]]]:
        """The strands of the source, each with the others of its term."""
        for term in self.addend.terms:
            for at, strand in term:
                if at == self.source.layer.index:
                    yield strand, [each for each in term if each[1] is not strand]


@dataclass(slots=True)
class LayerPlan:
    """Everything the program builders need to know of one layer.

    ``feeds`` say what it reads of its distinct sources, put together in the ``operand`` grid
    (C, H, W) before ``input_pool``; ``held`` say so of what a matmul has in the place of weights.
    ``producers`` are the layers among them (none: the network's
    input), ``consumers`` those that read it, both in index order. ``added`` are its shortcuts,
    ``addend`` is what it adds beside, ``adders`` are later layers that add what it leaves. ``live``
    [T, B] is false where the whole dY is zero and slices are skipped. ``summed_by`` is a later
    layer whose dS stands for the dX of its readers. ``repeats`` is how many time steps one product
    serves: T where all share an image, else 1. ``operand_bits`` is the width of an input element,
    above 1 for pixels, sums and averages.

    ``cut`` is made by placement, ``stored`` by residency, ``addressed`` by allocation, each as a
    whole. ``width`` are the columns of the product, ``skips`` is ``live``, or None where no slice
    is skipped.
    """

    layer: Layer
    cut: LayerCut
    masks: Masks
    work: LayerWork
    weights: LayerWeights
    live: Bools
    operand_bits: int
    norm: NormPolicy | None
    repeats: int
    feeds: list[Feed]
    operand: Shape3
    held: HeldFeeds | None
    producers: list[LayerPlan]
    consumers: list[LayerPlan] = field(default_factory=list)
    added: list[Adding] = field(default_factory=list)
    addend: AddendFeeds | None = None
    adders: list[Adding | Gathering] = field(default_factory=list)
    summed_by: LayerPlan | None = None
    stored: LayerStores = field(init=False)
    addressed: LayerTensors = field(init=False)
    width: int = field(init=False)
    skips: Bools | None = field(init=False)
    _wanted: dict[Span, Span] = field(default_factory=dict, repr=False)
    _read: dict[tuple[object, ...], tuple[Extent, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.width = self.layer.product_shape[2]  # every tile asks for both
        self.skips = None if self.live.all() else self.live

    @property
    def state(self) -> StatePolicy:
        """How BP gets U, S and m of FP."""
        return self.stored.state

    @property
    def exact(self) -> bool:
        """Whether batch statistics stand between the product and the neurons."""
        return self.norm == "exact"

    @property
    def biased(self) -> bool:
        """Whether every product gets a bias: one that is trained, or that of a folded norm."""
        return self.layer.bias or self.norm == "folded"

    @property
    def channel_parameters(self) -> tuple[str, ...]:
        """What is trained of the layer's channels beside its weights."""
        learnt = () if self.layer_numbers.keys() & set(self.layer.learnt) else self.layer.learnt
        if self.norm == "folded":
            return ("bias", *learnt)
        norm = self.layer.norm
        affine = () if norm is None else (*["scale"] * norm.scaled, *["shift"] * norm.shifted)
        return (*["bias"] * self.layer.bias, *affine, *learnt)

    def numbers(self, name: str) -> int:
        """How many numbers of a parameter each channel has: one, or one a time step."""
        norm = self.layer.norm
        by_step = norm is not None and norm.by_step and name in ("scale", "shift")
        return len(self.live) if by_step else 1

    @property
    def layer_numbers(self) -> dict[str, int]:
        """How many numbers are trained that are of no channel, by name: of steps, of neurons."""
        neuron = self.layer.neuron
        of_layer = isinstance(neuron, Neuron) and not neuron.by_channel
        numbers = {"step_scale": len(self.live)} if self.step_scaled else {}
        return numbers | (dict.fromkeys(self.layer.learnt, 1) if of_layer else {})

    @property
    def trains(self) -> bool:
        """Whether it has weights or numbers that are trained."""
        return self.layer.weighted or bool(self.channel_parameters or self.layer_numbers)

    @property
    def step_scaled(self) -> bool:
        """Whether the norm's result is multiplied with a trained number a time step."""
        return self.layer.norm is not None and self.layer.norm.step_scaled

    @property
    def head(self) -> bool:
        """Whether no layer reads it: its output goes to the loss, or in inference to the host."""
        return not (self.consumers or self.adders)

    @property
    def output_adders(self) -> list[Adding | Gathering]:
        """Those of later layers that add its output."""
        return [adding for adding in self.adders if adding.of_output]

    @property
    def current_adders(self) -> list[Adding | Gathering]:
        """Those that add what enters its neurons."""
        return [adding for adding in self.adders if not adding.of_output]

    @property
    def walk_parameters(self) -> tuple[str, ...]:
        """Those used and summed as products and dU pass; batch statistics come with an exchange."""
        always = ("bias", *self.layer.learnt)
        return tuple(n for n in self.channel_parameters if n in always or not self.exact)

    @property
    def spikes(self) -> Bools:
        """What later layers read, [T, B, *pooled_shape]."""
        return self.masks.output(self.layer.index)

    @property
    def need(self) -> Bools:
        """Which dS of the output BP must compute, [T, B, *pooled_shape]."""
        return self.masks.need(self.layer.index)

    @property
    def has_m(self) -> bool:
        """Whether m says anything; where it does not, it is not kept in DRAM."""
        return self.masks.has_m(self.layer.index)

    @property
    def dY(self) -> Bools:
        """dY != 0, [T, B, *product_shape]."""
        return self.masks.dY(self.layer.index)

    def pooled(self, region: Region) -> Region:
        """The pooled rows that are complete when the rows of ``region`` are."""
        layer = self.layer
        rows = finished_rows(layer.pool, region.rows, layer.out_shape[1], layer.pooled_shape[1])
        return Region(region.channels, region.samples, rows)

    def neurons(self, product: Region) -> Region:
        """The neurons whose currents are complete when those rows of the product are.

        An arbiter compares all GLM neurons: they are complete with the last of their sums.
        """
        layer = self.layer
        rows = finished_rows(
            layer.current_pool, product.rows, layer.product_shape[1], layer.out_shape[1]
        )
        channels = product.channels
        if layer.sums > 1:
            channels = (0, layer.out_shape[0] * (channels[1] == layer.product_channels))
        return Region(channels, product.samples, rows)

    def wanted_input(self, product: Region) -> Region:
        """The region of the operand that FP and WG of a region of products read."""
        channels, height, _ = self.operand
        rows = self._wanted.get(product.rows)
        if rows is None:
            rows = source_rows(self.layer, input_rows(self.layer, product.rows), height)
            self._wanted[product.rows] = rows
        return Region((0, channels), product.samples, rows)

    @property
    def sums(self) -> list[tuple[Span, int]]:
        """Channels of the operand, and additions that make one element of them.

        A gate's AND counts as one.
        """
        return _sums(self.layer, self.operand)

    @property
    def gated(self) -> list[tuple[Span, int]]:
        """Channels of the operand in which spikes are multiplied, and how many factors there are.

        BP reads these, too: where all others are 1, dX goes to a factor.
        """
        parts = () if self.layer.operand is None else self.layer.operand.gated
        return [(span, len(part.factors)) for span, part in parts]

    @property
    def input_pool(self) -> Pool | None:
        """What the operand passes when it is put together."""
        return self.layer.input_pool

    @property
    def input_steps(self) -> int:
        """Time steps of what it reads: one if all share an image."""
        return max(source.steps for source in self.addressed.sources)

    def read_regions(self, region: Region) -> list[tuple[Tensor, list[Region]]]:
        """What it reads of every source for a region of the operand, whole groups of channels."""
        return _regions_read(self.feeds, self.addressed.sources, region)

    def read_bits(self, region: Region) -> int:
        """Bits in DRAM, of all steps, that it reads of its sources for a region of the operand."""
        return sum(
            some.size * source.width * source.steps * source.bits
            for source, regions in self.read_regions(region)
            for some in regions
        )

    def input_runs(
        self, region: Region, steps: Span, live: bool = False, of_layers: bool = True
    ) -> tuple[Extent, ...]:
        """The DRAM runs of what a region of the operand is put together of, ``live`` pairs alone or
        all; with what layers leave, or of the network's input only.
        """
        key = (region, steps, live, of_layers)
        if key not in self._read:  # cores with other channels read the same
            read = [
                each
                for feed, each in zip(self.feeds, self.read_regions(region), strict=True)
                if of_layers or feed.source == NETWORK_INPUT
            ]
            self._read[key] = _runs(read, steps, self.skips if live else None)
        return self._read[key]

    @property
    def spilled_inputs(self) -> list[Span]:
        """Channels of its input, of operands by part, whose dX goes to producers through DRAM."""
        to = {producer.layer.index for producer in self.producers if producer.stored.dS == "dram"}
        if self.layer.operand is None:
            return [(0, self.layer.in_shape[0])] if to else []
        if self.held is not None:  # all that a matmul reads takes dS from there
            return [(0, self.layer.in_shape[0])]
        spans, first, each = [], 0, self.layer.in_shape[0] // self.operand[0]
        for part in self.layer.operand.parts:
            last = first + part.channels * each
            if any(factor.source in to for factor in part.factors):
                spans.append((first, last))
            first = last
        return merged(spans)

    def weight_count(self, part: Slice) -> int:
        """Stored weights of a slice."""
        return self.weights.count(part.neurons.channels)

    def weight_words(self, engine: str, part: Slice) -> int:
        """Words of a weight's width that an engine reads of a slice's weights."""
        return self.weights.words(engine, part.neurons.channels)

    def replicas(self, part: Slice) -> list[Slice]:
        """The slices that hold the same weights, in index order, ``part`` included."""
        return [s for s in self.cut.slices if s.neurons.channels == part.neurons.channels]

    def share(self, part: Slice) -> Span:
        """The weights of a slice that its core updates: each replica a share, if there are enough.

        They are counted from the slice's first weight.
        """
        replicas = self.replicas(part)
        spans = cuts(self.weight_count(part), len(replicas))
        number = [replica.index for replica in replicas].index(part.index)
        return spans[number] if number < len(spans) else (0, 0)

    @property
    def returning(self) -> list[LayerPlan]:
        """The readers whose dX is part of dS, but for those that another layer has summed."""
        readers = [] if self.summed_by is None else self.summed_by.consumers
        summed = {reader.layer.index for reader in readers}
        return [reader for reader in self.consumers if reader.layer.index not in summed]

    @property
    def partials(self) -> int:
        """How many partial dS an element of the output receives at the most."""
        apart = self._partials_apart()
        return self._partials_of_all + (int(reduce(np.add, apart).max()) if apart else 0)

    def arriving(self, pooled: Region) -> tuple[int, int]:
        """How many partial dS a region of the output receives in a step, and how many are added.

        What a shortcut or an addend of the output returns is among them.
        """
        shortcuts = sum(isinstance(adder, Adding) for adder in self.output_adders)
        of_all = self._partials_of_all + shortcuts
        apart = [*self._partials_apart(), *self._gathered()]
        if not apart:
            elements = pooled.size * self.layer.pooled_shape[2]
            return elements * of_all, elements * max(0, of_all - 1)
        parts = reduce(np.add, apart)
        each = of_all + parts[slice(*pooled.channels), slice(*pooled.rows)]
        samples = length(pooled.samples)
        return int(each.sum()) * samples, int(np.maximum(each - 1, 0).sum()) * samples

    @property
    def _partials_of_all(self) -> int:
        """Partial dS that every element receives: one a K-slice of a reader of plain sums, one a
        row cut of a matmul that holds such a sum.

        What another layer has summed, or the loss, is one.
        """
        parts = sum(copies for feed, _, copies in self._returning_feeds if feed.plain)
        return parts + (self.summed_by is not None or self.head)

    def _partials_apart(self) -> list[Ints]:
        """Those beside, [K, E, F] each, of readers that put what they read together of windows."""
        return [
            partial_gradients(feed, grid) * copies
            for feed, grid, copies in self._returning_feeds
            if not feed.plain
        ]

    @property
    def _returning_feeds(self) -> Iterator[tuple[Feed, Shape3, int]]:
        """The feeds that return dX, or dM of a matmul, with their grid and how many copies of it
        there are: of every channel cut a partial sum, of dM of every row cut.
        """
        for reader in self.returning:
            yield from (
                (feed, reader.operand, reader.cut.split.k)
                for feed in reader.feeds
                if feed.source == self.layer.index
            )
            if (held := reader.held) is not None:
                yield from (
                    (feed, held.grid, reader.cut.split.spatial)
                    for feed in held.feeds
                    if feed.source == self.layer.index
                )

    def _gathered(self) -> list[Ints]:
        """How many dI of the addends of later layers every element of the output receives."""
        return [
            partial_gradients(feed, adder.addend.operand)
            for adder in self.adders
            if isinstance(adder, Gathering)
            for feed in adder.addend.feeds
            if feed.source == self.layer.index
        ]


def _sums(read: Reads, operand: Shape3) -> list[tuple[Span, int]]:
    """As :attr:`LayerPlan.sums`, of what is read in an ``operand`` grid."""
    if read.operand is None:
        return [((0, operand[0]), len(read.sources) - 1)]
    ends = [0, *accumulate(part.channels for part in read.operand.parts)]
    return [
        (span, max(0, len(part.factors) - 1))
        for span, part in zip(pairwise(ends), read.operand.parts, strict=True)
    ]


def _regions_read(
    feeds: Sequence[Feed], tensors: Sequence[Tensor], region: Region
) -> list[tuple[Tensor, list[Region]]]:
    """What feeds read of their tensors for a region of the operand, whole groups of channels."""
    regions = []
    for feed, tensor in zip(feeds, tensors, strict=True):
        some = feed.regions(region)
        if not feed.plain:
            spans = merged(tensor.whole_groups(each.channels) for each in some)
            some = [some[0]._replace(channels=span) for span in spans]
        regions.append((tensor, some))
    return regions


def _runs(
    read: Sequence[tuple[Tensor, list[Region]]], steps: Span, live: Bools | None = None
) -> tuple[Extent, ...]:
    """The DRAM runs of regions of tensors, ``live`` [T, B] pairs alone."""
    return tuple(
        run
        for tensor, regions in read
        for some in regions
        for run in tensor.runs(some.samples, steps, some.channels, some.rows, live)
    )


@dataclass(slots=True)
class Plan:
    """A recorded iteration placed on a chip; ``chosen`` says why so, None if a file says so."""

    workload: Workload
    chip: ChipConfig
    arrays: CoreArrays
    layers: list[LayerPlan]
    addresses: Allocator
    schedule: Schedule
    chosen: Chosen | None

    @property
    def grids(self) -> list[Grid]:
        """The grid of every layer."""
        return [layer_plan.cut.grid for layer_plan in self.layers]

    @property
    def at_once(self) -> bool:
        """Whether layers share the memories of the cores all the time."""
        return self.schedule.alternates or layers_overlap(self.grids)

    @property
    def steps(self) -> int:
        """Time steps T."""
        return self.workload.steps
