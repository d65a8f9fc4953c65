"""What a GPU runs: the shapes of a network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

from tlm.workload.model import RunMode, Shape3, window_on_input
from tlm.workload.operand import Operand

Pooling: TypeAlias = Literal["max", "average", "sum"]
Optimizer: TypeAlias = Literal["adam", "sgd"]

INPUT = -1


@dataclass(frozen=True)
class StageShortcut:
    """What an earlier stage, ``source``, adds to a stage's current, through a ``pool``.

    ``of_output``: its output; else what enters its neurons.
    """

    source: int
    of_output: bool
    pool: Pooling | None


@dataclass(frozen=True)
class StageOperand:
    """What is read: the sum of ``sources``, or parts of ``operand`` together of ``shape``."""

    sources: tuple[int, ...]
    operand: Operand | None = None
    shape: Shape3 = (0, 0, 0)


@dataclass(frozen=True)
class NetworkStage:
    """One product, or what is read itself (identity), with what follows: BN, neurons, pooling.

    ``in_shape`` is (C, H, W), ``product_shape`` (K, E, F) of the product, ``out_shape`` that of
    the neurons, behind ``current_pool``, and ``pooled_shape`` that behind ``pool``. Several
    ``sources`` are added up, or put together as ``operand`` says; ``input_pool`` then pools what
    comes of it, of ``unpooled_shape``. A ``transposed`` convolution goes from (C, H, W) to the
    larger (K, E, F) by its ``stride``. A matmul multiplies with what it has ``held``, and with a
    constant if it is ``scaled``. With
    ``potential_out`` its neurons put out their potential, not spikes; ``saves_state`` says whether
    their backward pass needs it. A norm may have statistics ``by_step``; one that scales by step,
    with a number for each where it is ``step_scaled``, is not ``foldable`` into weights. Neurons
    that learn ``learnt`` numbers of their own read their spikes again in their backward pass.
    ``shortcuts`` are added to the product, behind BN.
    """

    name: str
    kind: Literal["conv", "linear", "matmul", "identity"]
    in_shape: Shape3
    product_shape: Shape3
    out_shape: Shape3
    pooled_shape: Shape3
    kernel: tuple[int, int]
    sources: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    current_pool: Pooling | None = None
    pool: Pooling | None = None
    input_pool: Pooling | None = None
    unpooled_shape: Shape3 = (0, 0, 0)
    operand: Operand | None = None
    held: StageOperand | None = None
    scaled: bool = False
    transposed: bool = False
    norm: bool = False
    by_step: bool = False
    step_scaled: bool = False
    foldable: bool = True
    neuron: bool = True
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)
    potential_out: bool = False
    saves_state: bool = True
    learnt: int = 0
    dropout: bool = False
    shortcuts: tuple[StageShortcut, ...] = ()

    @property
    def reads(self) -> tuple[int, ...]:
        """Sources of what it reads, and of what it has held."""
        return self.sources if self.held is None else self.sources + self.held.sources

    @property
    def taps(self) -> int:
        """Kernel positions R S."""
        return prod(self.kernel)

    @property
    def weights(self) -> int:
        """Elements of the weight tensor."""
        if self.kind not in ("conv", "linear"):
            return 0
        return self.out_shape[0] * self.in_shape[0] // self.groups * self.taps

    @property
    def outputs(self) -> int:
        """Neurons, before pooling."""
        return prod(self.out_shape)


@dataclass(frozen=True)
class NetworkShapes:
    """A network and one mini-batch: ``steps`` is T, ``batch`` B; ``direct`` repeats the image.

    ``mode`` says whether it is trained by it.
    """

    name: str
    stages: tuple[NetworkStage, ...]
    steps: int
    batch: int
    optimizer: Optimizer
    direct: bool = True
    mode: RunMode = "training"

    @property
    def learns(self) -> bool:
        """Whether loss, gradients and updates follow the forward pass."""
        return self.mode == "training"

    @property
    def images(self) -> int:
        """T B: time is folded into the batch, as SpikingJelly's multi-step mode does."""
        return self.steps * self.batch

    @property
    def image_shape(self) -> Shape3:
        """Shape (C, H, W) of an image."""
        for stage in self.stages:
            if stage.sources == (INPUT,) and stage.operand is None:
                return stage.in_shape
        operands = (stage.operand for stage in self.stages if stage.operand is not None)
        terms = (term for operand in operands for term in operand.terms)
        return next(window_on_input(term).shape for term in terms if term.source == INPUT)

    @property
    def weights(self) -> int:
        """Elements of all weight tensors."""
        return sum(stage.weights for stage in self.stages)

    @property
    def heads(self) -> list[int]:
        """The stages that no other reads or adds: each has a loss."""
        read = {source for stage in self.stages for source in stage.reads}
        read |= {each.source for stage in self.stages for each in stage.shortcuts}
        return [index for index in range(len(self.stages)) if index not in read]

    @property
    def neurons(self) -> int:
        """Neurons of all layers, of one image."""
        return sum(stage.outputs for stage in self.stages if stage.neuron)
