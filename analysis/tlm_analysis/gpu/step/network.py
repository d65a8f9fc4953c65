"""What a GPU runs: the shapes of a network, from a recorded job or written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeAlias

from tlm.errors import ConfigError, WorkloadError
from tlm.space.feeds import operand_shape
from tlm.workload import bundled_networks, open_workload
from tlm.workload.identities import identities_as_shortcuts
from tlm.workload.inference import as_inference
from tlm.workload.model import Layer, RunMode, Shape3, Workload, window_on_input
from tlm.workload.operand import Operand, Step, Window
from tlm.workload.readers import adds_output

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
class NetworkStage:
    """One convolution or linear layer, or none of both, with what follows: BN, neurons, pooling.

    ``in_shape`` is (C, H, W), ``product_shape`` (K, E, F) of the product, ``out_shape`` that of
    the neurons, behind ``current_pool``, and ``pooled_shape`` that behind ``pool``. Several
    ``sources`` are added up, or put together as ``operand`` says; ``input_pool`` then pools what
    comes of it, of ``unpooled_shape``; without a product that is the current. With
    ``potential_out`` its neurons put out their potential, not spikes; ``saves_state`` says whether
    their backward pass needs it. A norm that scales by step, with a number for each where it is
    ``step_scaled``, is not ``foldable`` into weights. Neurons that learn a number of their own
    (``learns``) read their spikes again in their backward pass.
    ``shortcuts`` are added to the product, behind BN.
    """

    name: str
    kind: Literal["conv", "linear", "identity"]
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
    norm: bool = False
    step_scaled: bool = False
    foldable: bool = True
    neuron: bool = True
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)
    potential_out: bool = False
    saves_state: bool = True
    learns: bool = False
    dropout: bool = False
    shortcuts: tuple[StageShortcut, ...] = ()

    @property
    def taps(self) -> int:
        """Kernel positions R S."""
        return prod(self.kernel)

    @property
    def weights(self) -> int:
        """Elements of the weight tensor."""
        if self.kind == "identity":
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
        read = {source for stage in self.stages for source in stage.sources}
        read |= {each.source for stage in self.stages for each in stage.shortcuts}
        return [index for index in range(len(self.stages)) if index not in read]

    @property
    def neurons(self) -> int:
        """Neurons of all layers, of one image."""
        return sum(stage.outputs for stage in self.stages if stage.neuron)


def network_named(
    name: str, mode: RunMode | None = None, batch: int | None = None
) -> NetworkShapes:
    """Shapes of a job, or of a bundled network whose masks need not be drawn.

    ``mode`` is what it was recorded for if None; inference is of its first ``batch`` samples.

    Raises:
        ConfigError: a batch is asked of training.
        WorkloadError: there is no such job or network, or it has no such number of samples.
    """
    job = open_workload(f"{name}:dense" if name in bundled_networks() else name)
    mode = mode or job.mode
    if mode == "inference":
        return network_of(as_inference(job, batch))
    if batch is not None:
        raise ConfigError("batch: a training step has all samples; use it with mode inference")
    return replace(network_of(job), mode=mode)


def network_of(workload: Workload) -> NetworkShapes:
    """The shapes of a recorded job.

    Raises:
        WorkloadError: it has GLM neurons, or a layer whose kernels are not modelled.
    """
    for layer in workload.layers:
        operand = layer.operand
        apart = operand is not None and any(
            term.delay or term.gates or any(map(_puts_between, term.way)) for term in operand.terms
        )
        if layer.held is not None or apart:
            raise WorkloadError(
                f"{workload.name}: no kernels of layer {layer.name} are modelled, which has two "
                "operands, or in one a delay, a gate or zeros between rows; name a job without "
                "such layers"
            )
    workload = identities_as_shortcuts(workload)
    if any(layer.sums > 1 for layer in workload.layers):
        raise WorkloadError(
            f"{workload.name}: no kernels of GLM neurons are modelled; name a job of LIF neurons"
        )
    return NetworkShapes(
        name=workload.name,
        stages=tuple(_stage(layer, workload.layers) for layer in workload.layers),
        steps=workload.steps,
        batch=workload.batch,
        optimizer=workload.optimizer,
        direct=workload.encoding == "direct",
        mode=workload.mode,
    )


def _puts_between(step: Step) -> bool:
    """Whether it puts zeros between rows or columns: what a transposed convolution reads."""
    return isinstance(step, Window) and max(step.rows.spread, step.columns.spread) > 1


def _stage(layer: Layer, layers: tuple[Layer, ...]) -> NetworkStage:
    read = layer if layer.addend is None else layer.addend
    first = operand_shape(read, layers) if read.sources else (0, 0, 0)
    return NetworkStage(
        name=layer.name,
        kind="linear" if layer.kind == "matmul" else layer.kind,
        in_shape=layer.in_shape,
        product_shape=layer.product_shape,
        out_shape=layer.out_shape,
        pooled_shape=layer.pooled_shape,
        kernel=layer.kernel,
        sources=read.sources,
        stride=layer.stride,
        current_pool=None if layer.current_pool is None else layer.current_pool.kind,
        pool=None if layer.pool is None else layer.pool.kind,
        input_pool=None if read.input_pool is None else read.input_pool.kind,
        unpooled_shape=first,
        operand=read.operand,
        norm=layer.norm is not None,
        step_scaled=layer.norm is not None and layer.norm.step_scaled,
        foldable=layer.norm is None or layer.norm.foldable,
        neuron=layer.neuron is not None,
        groups=layer.groups,
        dilation=layer.dilation,
        shortcuts=tuple(
            StageShortcut(
                each.layer,
                adds_output(each, layers),
                None if each.pool is None else each.pool.kind,
            )
            for each in layer.shortcuts
        ),
        potential_out=layer.membrane_output,
        saves_state=bool(layer.saved_state),
        learns=bool(layer.learnt),
        dropout=layer.dropout > 0,
    )
