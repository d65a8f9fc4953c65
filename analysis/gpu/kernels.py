"""The kernels of one training step on a GPU, with the bytes and operations each must move.

Bytes are compulsory: every tensor a kernel reads or writes, once. Time is folded into the batch
for convolutions and linear layers, as SpikingJelly's multi-step mode does, so N = T * B images.
Spikes are stored as full numbers, not bits, as every GPU framework stores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from tlm.workload.model import Layer, Workload

ELEMENT_NBYTES = {"amp": 2, "fp32": 4}  # amp: FP16 tensors, FP32 master weights and optimizer
MASTER_NBYTES = 4
POOL_INDEX_NBYTES = 8  # torch's max_pool2d_with_indices saves an int64 for every output

# SpikingJelly's fused LIF (Triton, CuPy): forward loads x, stores spike and h; backward loads the
# spike's gradient and h, stores x's gradient. Tensors (read, written) by phase:
FUSED_LIF_TENSORS = {"fp": (1, 2), "bp": (2, 1)}

# The plain torch back-end runs 6 to 10 elementwise kernels a time step; 8 is assumed, each with
# two tensors read and one written, and as many backward (its O(T^2) worst case is not modelled).
PLAIN_LIF_KERNELS = 8

# Elementwise operations of one neuron and step: charge 3, compare 1, reset 2.
LIF_FLOP = 6

# Tensors of one weight that an optimizer reads and writes (weight, gradient, moments): Adam reads
# four and writes three, SGD without momentum reads two and writes one. Operations: NeuroMC's count
# (Adam 11 multiplications, 4 additions, 1 root; SGD 1 and 1).
OPTIMIZER_TENSORS = {"adam": (4, 3), "sgd": (2, 1)}
OPTIMIZER_FLOP = {"adam": 16, "sgd": 2}


@dataclass(frozen=True)
class Kernel:
    """One launch: ``kind`` chooses its efficiency (``conv``, ``linear`` or ``elementwise``)."""

    name: str
    kind: str
    phase: str
    read_nbytes: int
    write_nbytes: int
    flop: int

    @property
    def nbytes(self) -> int:
        """Compulsory traffic, bytes."""
        return self.read_nbytes + self.write_nbytes


@dataclass(frozen=True)
class Sizes:
    """Elements of one layer's tensors over all N = T * B images."""

    inputs: int
    outputs: int
    pooled: int
    weights: int
    flop: int


def layer_sizes(layer: Layer, images: int) -> Sizes:
    """Tensor sizes (elements) and 2 x multiply-accumulates of a layer over ``images`` images."""
    channels = layer.in_shape[0]
    kernels, height, width = layer.out_shape
    taps = kernels * channels * prod(layer.kernel)
    return Sizes(
        inputs=images * prod(layer.in_shape),
        outputs=images * prod(layer.out_shape),
        pooled=images * prod(layer.pooled_shape),
        weights=taps + (kernels if layer.bias else 0),
        flop=2 * images * taps * height * width,
    )


def training_step(workload: Workload, precision: str, neuron: str) -> tuple[Kernel, ...]:
    """The kernels of one iteration, in order.

    Args:
        workload: the job; only its shapes are used.
        precision: a key of ``ELEMENT_NBYTES``.
        neuron: ``fused`` (one kernel over T) or ``plain`` (elementwise kernels a time step).
    """
    size = ELEMENT_NBYTES[precision]
    kernels: list[Kernel] = []
    if workload.encoding == "direct":
        image = workload.batch * prod(workload.layers[0].in_shape) * size
        repeat = Kernel("repeat input", "elementwise", "fp", image, workload.steps * image, 0)
        kernels.append(repeat)
    for layer in workload.layers:
        kernels.extend(_forward(layer, workload, precision, neuron))
    kernels.extend(_loss(workload, size))
    for layer in reversed(workload.layers):
        kernels.extend(_backward(layer, workload, precision, neuron))
    kernels.append(_update(workload))
    return tuple(kernels)


def _forward(layer: Layer, workload: Workload, precision: str, neuron: str) -> Iterator[Kernel]:
    size = ELEMENT_NBYTES[precision]
    n = layer_sizes(layer, workload.steps * workload.batch)
    if precision == "amp":
        cast = (n.weights * MASTER_NBYTES, n.weights * size)
        yield Kernel(f"{layer.name} weight cast", "elementwise", "fp", *cast, 0)
    read = (n.inputs + n.weights) * size
    yield Kernel(f"{layer.name} {layer.kind}", layer.kind, "fp", read, n.outputs * size, n.flop)
    yield from _lif(layer, n, workload.steps, size, neuron, "fp")
    if layer.pool is not None:
        write = n.pooled * (size + POOL_INDEX_NBYTES)
        yield Kernel(f"{layer.name} pool", "elementwise", "fp", n.outputs * size, write, 0)


def _backward(layer: Layer, workload: Workload, precision: str, neuron: str) -> Iterator[Kernel]:
    size = ELEMENT_NBYTES[precision]
    n = layer_sizes(layer, workload.steps * workload.batch)
    if layer.pool is not None:
        read = n.pooled * (size + POOL_INDEX_NBYTES)
        yield Kernel(f"{layer.name} pool grad", "elementwise", "bp", read, n.outputs * size, 0)
    yield from _lif(layer, n, workload.steps, size, neuron, "bp")
    if layer.index > 0:
        read = (n.outputs + n.weights) * size
        yield Kernel(f"{layer.name} dgrad", layer.kind, "bp", read, n.inputs * size, n.flop)
    read = (n.outputs + n.inputs) * size
    yield Kernel(f"{layer.name} wgrad", layer.kind, "wg", read, n.weights * size, n.flop)
    if precision == "amp":
        cast = (n.weights * size, n.weights * MASTER_NBYTES)
        yield Kernel(f"{layer.name} gradient cast", "elementwise", "wg", *cast, 0)


def _lif(
    layer: Layer, n: Sizes, steps: int, size: int, neuron: str, phase: str
) -> Iterator[Kernel]:
    tensor = n.outputs * size
    if neuron == "fused":
        read, write = FUSED_LIF_TENSORS[phase]
        flop = LIF_FLOP * n.outputs
        name = f"{layer.name} lif{' grad' if phase == 'bp' else ''}"
        yield Kernel(name, "elementwise", phase, read * tensor, write * tensor, flop)
        return
    step_tensor, step_flop = tensor // steps, n.outputs // steps
    for step in range(steps):
        for part in range(PLAIN_LIF_KERNELS):
            name = f"{layer.name} lif t{step} {part}"
            yield Kernel(name, "elementwise", phase, 2 * step_tensor, step_tensor, step_flop)


def _loss(workload: Workload, size: int) -> Iterator[Kernel]:
    """Cross entropy on the mean output over time; each direction counted as one fused kernel."""
    outputs = workload.batch * prod(workload.layers[-1].pooled_shape)
    seq, mean = workload.steps * outputs * size, outputs * MASTER_NBYTES
    flop = (workload.steps + 4) * outputs
    yield Kernel("loss", "elementwise", "loss", seq, mean, flop)
    yield Kernel("loss grad", "elementwise", "loss", mean, seq, flop)


def _update(workload: Workload) -> Kernel:
    weights = sum(layer_sizes(layer, 1).weights for layer in workload.layers)
    read, write = OPTIMIZER_TENSORS[workload.optimizer]
    return Kernel(
        f"{workload.optimizer} update",
        "elementwise",
        "update",
        read * weights * MASTER_NBYTES,
        write * weights * MASTER_NBYTES,
        OPTIMIZER_FLOP[workload.optimizer] * weights,
    )
