"""How a bundled job is trained: a recipe, and short words to write its layers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from tlm.workload.model import Layer, Neuron, Pool, Shape3


@dataclass(frozen=True)
class Conv:
    """A square convolution of ``channels`` outputs; ``pool`` > 1 max-pools its spikes."""

    channels: int
    kernel: int
    padding: int
    pool: int = 1


@dataclass(frozen=True)
class Dense:
    """A linear layer of ``channels`` outputs."""

    channels: int


@dataclass(frozen=True)
class Recipe:
    """A training run to record.

    Training takes mini-batches of ``training_batch``; recorded is the forward and backward pass
    of ``batch`` (B) samples of one, over ``steps`` (T). ``current_std`` and, for the last layer,
    ``output_std`` are the standard deviations that input currents are scaled to before training
    (LSUV, Mishkin and Matas, arXiv 1511.06422: a compact surrogate with default weights never
    fires).
    """

    name: str
    layers: tuple[Layer, ...]
    steps: int
    batch: int
    training_batch: int
    epochs: int
    learning_rate: float
    current_std: float
    output_std: float
    seed: int


LIF = Neuron(
    decay=0.5,
    gain=0.5,
    threshold=1.0,
    reset="hard",
    detach_reset=True,
    surrogate="rectangular",
    surrogate_width=1.0,
    compact=True,
)
"""LIF with tau = 2 and decay_input (H = V + (I - V) / tau), rectangular surrogate."""


def stack(in_shape: Shape3, blocks: Sequence[Conv | Dense], neuron: Neuron) -> tuple[Layer, ...]:
    """Layers of a feed-forward network with direct coding; flattens before the first Dense."""
    layers: list[Layer] = []
    for index, block in enumerate(blocks):
        make = _conv if isinstance(block, Conv) else _dense
        layers.append(make(index, in_shape, block, neuron))
        in_shape = layers[-1].pooled_shape
    return tuple(layers)


def _conv(index: int, in_shape: Shape3, block: Conv | Dense, neuron: Neuron) -> Layer:
    assert isinstance(block, Conv)
    grown = 2 * block.padding - block.kernel + 1
    return Layer(
        index=index,
        name=f"conv{index}",
        kind="conv",
        in_shape=in_shape,
        out_shape=(block.channels, in_shape[1] + grown, in_shape[2] + grown),
        kernel=(block.kernel, block.kernel),
        stride=(1, 1),
        padding=(block.padding, block.padding),
        pool=Pool("max", block.pool, block.pool) if block.pool > 1 else None,
        neuron=neuron,
        sources=(index - 1,),
        input_kind="binary" if index else "analog",
        bias=False,
    )


def _dense(index: int, in_shape: Shape3, block: Conv | Dense, neuron: Neuron) -> Layer:
    return Layer(
        index=index,
        name=f"fc{index}",
        kind="linear",
        in_shape=(prod(in_shape), 1, 1),
        out_shape=(block.channels, 1, 1),
        kernel=(1, 1),
        stride=(1, 1),
        padding=(0, 0),
        pool=None,
        neuron=neuron,
        sources=(index - 1,),
        input_kind="binary" if index else "analog",
        bias=False,
    )
