"""What a recorded job is: layers, the job around them, and one iteration's masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.answers import Answers
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.held import Held
from tlm.workload.operand import Operand, Term, Window
from tlm.workload.values import Values

Pair: TypeAlias = tuple[int, int]
Shape3: TypeAlias = tuple[int, int, int]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]
Level: TypeAlias = Literal["bits", "value", "exact"]
Encoding: TypeAlias = Literal["direct", "rate", "events", "counts", "frames"]
RunMode: TypeAlias = Literal["training", "inference"]
LayerKind: TypeAlias = Literal["conv", "linear", "matmul", "identity"]
InputKind: TypeAlias = Literal["analog", "binary", "integer"]
Channels: TypeAlias = tuple[tuple[str, tuple[float, ...]], ...]
"""Constants by channel: a name and K numbers each."""

NETWORK_INPUT = -1
"""The source index that stands for the network's input."""


@dataclass(frozen=True)
class Pool:
    """Pooling; ``size``, ``stride``, ``padding`` of windows in (rows, columns) of what is pooled.

    Max-pooling pads with nothing, the others with zeros, which count in an average. Windows of a
    max-pool may hang ``overhang`` (rows, columns) over the padding behind the last: it rounds up.
    """

    kind: Literal["max", "average", "sum"]
    size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    overhang: Pair = (0, 0)

    @classmethod
    def square(
        cls, kind: Literal["max", "average", "sum"], size: int, stride: int, padding: int = 0
    ) -> Pool:
        """A pool whose rows are as its columns."""
        return cls(kind, (size, size), (stride, stride), (padding, padding))

    @property
    def places(self) -> int:
        """Elements of a window, those outside among them."""
        return prod(self.size)

    @property
    def turned(self) -> Pool:
        """The pool with rows for columns."""
        sides = (self.size, self.stride, self.padding, self.overhang)
        return Pool(self.kind, *(side[::-1] for side in sides))

    def fits(self, shape: Shape3) -> bool:
        """Whether it has windows on ``shape``, and none of them begins behind the last element."""
        return all(
            count > 0 and (count - 1) * step - pad < side
            for count, step, pad, side in zip(
                self.pooled(shape)[1:], self.stride, self.padding, shape[1:], strict=True
            )
        )

    def pooled(self, shape: Shape3) -> Shape3:
        """Shape (K, E, F) after pooling ``shape``; a window that does not fit is left out."""
        height, width = (
            (side + 2 * pad + over - size) // step + 1
            for side, size, step, pad, over in zip(
                shape[1:], self.size, self.stride, self.padding, self.overhang, strict=True
            )
        )
        return (shape[0], height, width)


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of a layer's product, with the statistics of the mini-batch.

    ``per_step`` is true if mean and variance are those of each time step, false if they are taken
    over all T steps at once. ``epsilon`` is added to the variance. ``scaled`` and ``shifted`` say
    whether gamma and beta are trained; ``by_step`` whether each step has its own. ``step_scaled``
    multiplies the result with a trained number a step.
    """

    kind: Literal["batch"]
    epsilon: float
    per_step: bool
    scaled: bool = True
    shifted: bool = True
    by_step: bool = False
    step_scaled: bool = False

    @property
    def foldable(self) -> bool:
        """Whether fixed statistics can lie in the weights: no step has a scale of its own."""
        return not (self.by_step or self.step_scaled)

    def parameter_shapes(self, channels: int, steps: int) -> dict[str, tuple[int, ...]]:
        """Shapes of what it trains, by name, for K ``channels`` over T ``steps``."""
        shape = (steps, channels) if self.by_step else (channels,)
        shapes: dict[str, tuple[int, ...]] = {"scale": shape} if self.scaled else {}
        if self.shifted:
            shapes["shift"] = shape
        if self.step_scaled:
            shapes["step_scale"] = (steps,)
        return shapes


@dataclass(frozen=True)
class Neuron:
    """Parameters of a leaky integrate-and-fire layer and of its surrogate gradient.

    ``J[t] = current_decay J[t-1] + I[t]`` is the synaptic current, from ``J[-1] = 0``: I itself if
    ``current_decay`` is 0, else the neuron is current-based. ``H[t] = decay V[t-1] + gain J[t] +
    offset`` with ``V[-1] = initial``; a spike where ``H`` exceeds ``threshold`` (or equals it, if
    ``fires_at_threshold``). A hard reset sets V to ``reset_value``, a soft reset subtracts
    ``reset_value``, "none" leaves V = H. The surrogate's derivative is ``surrogate_peak`` at the
    threshold; ``surrogate_width`` stretches its shape, for a compact one it is the full width of
    the support, in units of the membrane potential.

    With ``output`` "membrane" what leaves the layer is H, not S: the loss reads the potential, and
    its gradient arrives there without a surrogate. Spikes only reset; with reset "none" there are
    none.

    ``learnt`` names the numbers that are trained (:mod:`tlm.workload.learnt`), one a layer or
    ``by_channel``. What follows from them is here as it was when recording began: each iteration
    has its own among its values. Of constants that differ from channel to channel
    (:mod:`tlm.workload.channels`) ``channels`` holds the K numbers of each; in their own places
    are the means.
    """

    decay: float
    gain: float
    threshold: float
    reset: Literal["hard", "soft", "none"]
    detach_reset: bool
    surrogate: str
    surrogate_width: float
    surrogate_peak: float
    compact: bool
    reset_value: float
    offset: float = 0.0
    initial: float = 0.0
    fires_at_threshold: bool = True
    current_decay: float = 0.0
    output: Literal["spikes", "membrane"] = "spikes"
    learnt: tuple[str, ...] = ()
    by_channel: bool = False
    channels: Channels = ()


@dataclass(frozen=True)
class Shortcut:
    """What an earlier ``layer`` adds to the current of a later one, through ``pool``.

    "spikes" are its output, behind its pool; "current" is what enters its neurons, or of a layer
    without neurons its output.
    """

    layer: int
    of: Literal["spikes", "current"]
    pool: Pool | None = None


@dataclass(frozen=True)
class Addend:
    """What earlier layers add together to the current of a later one.

    It is read as an input is: the ``operand``, put together of outputs of ``sources``, through
    ``input_pool``.
    """

    sources: tuple[int, ...]
    operand: Operand
    input_pool: Pool | None = None


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer with what follows it up to the next one.

    The input is the sum of its ``sources``: outputs of earlier layers, or -1 for the network's
    input; ``input_pool`` pools that sum. The product passes ``norm``, ``shortcuts`` are added to
    it, and the sum passes ``current_pool``, then ``neuron`` (None: the output is the current
    itself), then ``pool``. The "identity" has no weights: its product is its input. Nor has the
    "matmul": ``held`` says what stands in their place, one for each sample and step, and heads are
    its ``groups``.

    ``in_shape`` is (C, H, W) of the input after ``input_pool``, ``out_shape`` (K, E, F) of the
    neurons before ``pool``, ``kernel`` (R, S). A linear layer has in_shape (C, 1, 1), out_shape
    (K, 1, 1) and kernel (1, 1); after a convolution its inputs are flattened in [c][y][x] order.
    GLM neurons have several sums each: ``product_channels`` says how many outputs the product has.
    ``input_kind`` is "binary" for spikes, "integer" for a sum of several spike tensors, and
    "analog" for direct coding and behind average-pooling. ``groups`` of a grouped convolution
    each connect C / groups inputs to K / groups outputs, in channel order. Taps of a kernel are
    ``dilation`` (rows, columns) apart. ``operand`` says what is read where that is more than the
    sum of ``sources``, which then are those of its terms: with a delay they may be later layers, or
    the layer itself. ``dropout`` is the share of the input, behind ``input_pool``, that training
    drops at random; what is kept is divided by the rest. ``addend`` is added as ``shortcuts`` are;
    no file has one (:mod:`tlm.workload.identities`).
    """

    index: int
    name: str
    kind: LayerKind
    in_shape: Shape3
    out_shape: Shape3
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    sources: tuple[int, ...]
    input_pool: Pool | None
    input_kind: InputKind
    bias: bool
    norm: Norm | None
    current_pool: Pool | None
    neuron: Neuron | GLMNeuron | None
    pool: Pool | None
    groups: int = 1
    operand: Operand | None = None
    shortcuts: tuple[Shortcut, ...] = ()
    dilation: tuple[int, int] = (1, 1)
    held: Held | None = None
    dropout: float = 0.0
    addend: Addend | None = None

    @property
    def weighted(self) -> bool:
        """Whether it has weights."""
        return self.kind in ("conv", "linear")

    @property
    def multiplies(self) -> bool:
        """Whether it has a product: that of an identity is what it reads."""
        return self.kind != "identity"

    @property
    def turned(self) -> bool:
        """Whether the positions of what it reads are inputs of its product: of some matmuls."""
        return self.held is not None and self.held.input_transposed

    @property
    def producers(self) -> list[int]:
        """The distinct layers that it reads; none where it reads the network's input alone."""
        return [source for source in dict.fromkeys(self.reads) if source != NETWORK_INPUT]

    @property
    def reads(self) -> tuple[int, ...]:
        """Sources of its input, and of what it holds in the place of weights."""
        return self.sources if self.held is None else self.sources + self.held.sources

    @property
    def added(self) -> list[int]:
        """The distinct layers whose output or current is added to its own."""
        together = () if self.addend is None else self.addend.sources
        return list(dict.fromkeys((*(each.layer for each in self.shortcuts), *together)))

    @property
    def predecessors(self) -> list[int]:
        """The distinct other layers that it reads or adds."""
        read = dict.fromkeys((*self.producers, *self.added))
        return [source for source in read if source != self.index]

    @property
    def recurrent(self) -> bool:
        """Whether it reads its own output, of steps before."""
        return self.index in self.sources

    @property
    def sums(self) -> int:
        """Sums of products that a neuron has: one, or of a GLM neuron one for each function."""
        return self.neuron.functions if isinstance(self.neuron, GLMNeuron) else 1

    @property
    def product_channels(self) -> int:
        """Outputs of the product: one a neuron's channel, of GLM neurons one for each function."""
        return self.out_shape[0] * self.sums

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first tap of the kernel to its last."""
        return extent(self.kernel, self.dilation)

    @cached_property
    def product_shape(self) -> Shape3:
        """Shape (K, E, F) of the convolution's output, before ``current_pool``."""
        height, width = (
            (size + 2 * pad - window) // step + 1
            for size, window, step, pad in zip(
                self.in_shape[1:], self.extent, self.stride, self.padding, strict=True
            )
        )
        return (self.product_channels, height, width)

    @property
    def product_is_current(self) -> bool:
        """Whether nothing lies between the convolution's output and the neuron's input."""
        return self.norm is None and self.current_pool is None

    @property
    def current_based(self) -> bool:
        """Whether its neurons have a synaptic current that decays."""
        return isinstance(self.neuron, Neuron) and self.neuron.current_decay > 0

    @property
    def membrane_output(self) -> bool:
        """Whether its membrane potential leaves the layer in place of spikes."""
        return isinstance(self.neuron, Neuron) and self.neuron.output == "membrane"

    @property
    def spiking(self) -> bool:
        """Whether spikes leave its neurons; else numbers do, and behind a neuron its potential."""
        return self.neuron is not None and not self.membrane_output

    @property
    def saved_state(self) -> tuple[str, ...]:
        """What BP needs of its neurons in FP: the potential U, the spikes S, the slopes' mask m.

        Where U leaves the layer its gradient arrives there, past the surrogate. Then S matters to
        a hard reset alone, and U where a gradient passes through the reset; both, of any reset, to
        the gradient of a number that is learnt.
        """
        if self.spiking:
            return ("U", "S", "m")
        neuron = self.neuron
        if not isinstance(neuron, Neuron):
            return ()
        learns, resets = bool(neuron.learnt), neuron.reset != "none"
        potential = learns or (resets and not neuron.detach_reset)
        spikes = neuron.reset == "hard" or (learns and resets)
        return (*["U"] * potential, *["S"] * spikes)

    @property
    def learnt(self) -> tuple[str, ...]:
        """The numbers that its neurons learn."""
        return self.neuron.learnt if isinstance(self.neuron, Neuron) else ()

    @property
    def channel_constants(self) -> tuple[str, ...]:
        """The constants of its neurons that are fixed and differ from channel to channel."""
        channels = self.neuron.channels if isinstance(self.neuron, Neuron) else ()
        return tuple(name for name, _ in channels)

    @property
    def state_words(self) -> int:
        """Numbers that a neuron carries on: V, and J if current-based; or earlier sums of a GLM."""
        if isinstance(self.neuron, GLMNeuron):
            return self.neuron.functions * (self.neuron.taps - 1)
        return (self.neuron is not None) + self.current_based

    @property
    def pooled_shape(self) -> Shape3:
        """Shape (K, E, F) that later layers see, after pooling."""
        return self.out_shape if self.pool is None else self.pool.pooled(self.out_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one product, of one sample and step: K C / groups R S E F.

        Where zeros are put between the inputs, as for a transposed convolution, each input meets
        all its weights once: its rows and columns stand in place of E and F, as torch counts.
        """
        spread = None if self.operand is None else self.operand.positions_before_spread
        return prod(self.factor_shape) * (spread or prod(self.product_shape[1:]))

    @property
    def factor_shape(self) -> tuple[int, int, int, int]:
        """Shape [K, C / groups, R, S] of weights, or of what a matmul holds in their place."""
        if self.kind == "identity":
            return (0, 0, *self.kernel)
        return (self.product_channels, self.in_shape[0] // self.groups, *self.kernel)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape [K, C / groups, R, S] of the weights; of no elements where there are none."""
        return self.factor_shape if self.weighted else (0, 0, *self.kernel)


@dataclass(frozen=True, eq=False)
class Recording:
    """Which elements of the tensors of one iteration are non-zero.

    ``inputs`` is [B, C, H, W] with direct coding, else [T, B, C, H, W]. The others hold one
    [T, B, K, E, F] array per layer, before pooling: ``spikes`` S; ``masks`` m, where the
    surrogate's derivative is not zero; ``dU``, the gradient at the membrane potential, which has
    the same zeros as dI at the neuron's input current; ``dY``, the gradient at the convolution's
    output, of ``product_shape`` (the same array as ``dU`` if nothing lies between the two). The
    spikes and masks of a read-out are all true: its output and its slope are zero nowhere.
    ``weights`` [K, C / groups, R, S], one a layer, are None where none is zero. ``steps_run`` [B]
    are the steps of each sample in inference that stops early; None: all run all T. ``kept``
    [T, B, C, H, W] of ``in_shape``, by layer index, is what a dropout left of the input, zero or
    not.

    A job for inference has no backward pass: its ``masks``, ``dU`` and ``dY`` are empty, and it
    has ``answers``, which others lack.
    """

    iteration: int
    inputs: BoolArray
    spikes: Sequence[BoolArray]
    masks: Sequence[BoolArray]
    dU: Sequence[BoolArray]
    dY: Sequence[BoolArray]
    weights: tuple[BoolArray, ...] | None = None
    answers: Answers | None = None
    steps_run: IntArray | None = None
    kept: Mapping[int, BoolArray] = field(default_factory=dict)

    @property
    def running(self) -> BoolArray:
        """Which (step, sample) pairs are computed, [T, B]."""
        steps, batch = self.spikes[0].shape[:2]
        every = np.full(batch, steps) if self.steps_run is None else self.steps_run
        return np.asarray(np.arange(steps)[:, None] < every)


class TensorSource(Protocol):
    """Where the tensors of a job come from: its file, or a rule that draws them."""

    @property
    def activity(self) -> str:
        """The source in words; "recorded" if it is a file."""

    @property
    def seed(self) -> int | None:
        """Seed of the random numbers; None if nothing is drawn."""

    def recording(self, workload: Workload, position: int) -> Recording:
        """Masks of ``workload`` at ``position`` of its iterations."""

    def values(self, workload: Workload, position: int) -> Values:
        """Numbers of ``workload`` at ``position`` of its iterations."""


@dataclass(frozen=True)
class Workload:
    """A recorded job; its tensors are read by :meth:`load` and :meth:`load_values`.

    ``steps`` is T, ``batch`` B, ``accuracy`` the test accuracy reached (0..1), ``iterations``
    the training iterations recorded, ``levels`` how much of each is kept, and ``sha256`` the
    digest of the whole file. ``tensors`` is where :meth:`load` takes tensors from; a job that is
    yet to be written has none. ``mode`` "inference" says that forward passes alone were recorded,
    with the weights as they are behind that many training iterations, or that of whole iterations
    the forward pass alone is meant (:mod:`tlm.workload.inference`).
    """

    path: Path
    name: str
    layers: tuple[Layer, ...]
    steps: int
    batch: int
    dataset: str
    licence: str
    accuracy: float
    optimizer: Literal["adam", "sgd"]
    encoding: Encoding
    iterations: tuple[int, ...]
    levels: tuple[Level, ...]
    provenance: dict[str, str]
    sha256: str
    tensors: TensorSource | None = field(default=None, compare=False, kw_only=True)
    mode: RunMode = field(default="training", kw_only=True)

    @property
    def learns(self) -> bool:
        """Whether it has a loss, gradients and updates behind its forward pass."""
        return self.mode == "training"

    @property
    def activity(self) -> str:
        """Where the masks come from: "recorded", or the rule that draws them."""
        return "recorded" if self.tensors is None else self.tensors.activity

    @property
    def seed(self) -> int | None:
        """Seed that the masks are drawn from; None if nothing is drawn."""
        return None if self.tensors is None else self.tensors.seed

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a recording's ``inputs``: [B, C, H, W] with direct coding, else [T, ...]."""
        sample = (self.batch, *input_frame(self.layers))
        return sample if self.encoding == "direct" else (self.steps, *sample)

    def neuron_shape(self, layer: Layer) -> tuple[int, ...]:
        """Shape [T, B, K, E, F] of a layer's spikes, masks and dU."""
        return (self.steps, self.batch, *layer.out_shape)

    def product_shape(self, layer: Layer) -> tuple[int, ...]:
        """Shape [T, B, K, E, F] of a layer's dY, before ``current_pool``."""
        return (self.steps, self.batch, *layer.product_shape)

    def load(self, position: int) -> Recording:
        """Read the masks at ``position`` of ``iterations``.

        Raises WorkloadError if there is no such position, or if the file was damaged or changed.
        """
        return self._source().recording(self, position)

    def load_values(self, position: int) -> Values:
        """Read the numbers at ``position`` of ``iterations``, of level "value" or "exact".

        Raises WorkloadError as :meth:`load` does, or if that recording is of level "bits".
        """
        return self._source().values(self, position)

    def _source(self) -> TensorSource:
        if self.tensors is None:
            raise WorkloadError(
                f"{self.path}: this job has no tensors yet; write it with write_workload and load "
                "the job that it returns"
            )
        return self.tensors


def extent(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns from the first tap of a kernel to its last."""
    (r, s), (dy, dx) = kernel, dilation
    return ((r - 1) * dy + 1, (s - 1) * dx + 1)


def input_frame(layers: Sequence[Layer]) -> Shape3:
    """Shape (C, H, W) of the network's input, as a layer reads it that reads nothing else.

    If there is none, as the first window on it does.
    """
    for layer in layers:
        if layer.sources == (NETWORK_INPUT,) and layer.operand is None:
            return layer.in_shape
    terms = (term for layer in layers if layer.operand for term in layer.operand.terms)
    return next(window_on_input(term).shape for term in terms if term.source == NETWORK_INPUT)


def window_on_input(term: Term) -> Window:
    """The window with which a term of the network's input begins: it always has one."""
    window = term.way[0]
    assert isinstance(window, Window)
    return window
