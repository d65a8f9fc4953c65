"""Neurons of every kind, drawn for the layers of a random job."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hypothesis import strategies as st

from tlm.workload.channels import CONSTANTS
from tlm.workload.learnt import set_by
from tlm.workload.model import Layer, Neuron
from tlm.workload.readers import heads

LEARNT = ((), (), ("leak",), ("beta",), ("threshold",), ("decay", "threshold"))


@st.composite
def with_neurons(draw: st.DrawFn, layers: list[Layer]) -> list[Layer]:
    """The layers, of whose neurons some decay, reset and learn in other ways, or leave U."""
    layers = list(layers)
    spiking = [layer.index for layer in layers if isinstance(layer.neuron, Neuron)]
    for at in draw(st.sets(st.sampled_from(spiking), min_size=1, max_size=3)) if spiking else ():
        layers[at] = replace(layers[at], neuron=draw(_neurons(layers[at])))
    ends = [at for at in heads(layers) if at in spiking and layers[at].pool is None]
    for at in draw(st.sets(st.sampled_from(ends))) if ends else ():
        layers[at] = replace(layers[at], neuron=draw(_potential(layers[at].neuron)))
    return layers


@st.composite
def _neurons(draw: st.DrawFn, layer: Layer) -> Neuron:
    """Another form of a layer's neurons."""
    neuron = replace(
        layer.neuron,
        reset=draw(st.sampled_from(("hard", "soft"))),
        detach_reset=draw(st.booleans()),
        current_decay=draw(st.sampled_from((0.0, 0.75))),
        learnt=draw(st.sampled_from(LEARNT)),
        by_channel=draw(st.booleans()),
    )
    names = draw(st.sets(st.sampled_from(CONSTANTS), max_size=3))
    return by_channel(neuron, names - set_by(neuron), layer.out_shape[0])


def by_channel(neuron: Neuron, several: Collection[str], channels: int) -> Neuron:
    """The neuron, of whose constants these differ from channel to channel."""
    names = [name for name in CONSTANTS if name in several]
    values = tuple(0.25 + channel / (2 * channels) for channel in range(channels))
    mean = sum(values) / channels
    return replace(
        neuron, **dict.fromkeys(names, mean), channels=tuple((name, values) for name in names)
    )


@st.composite
def _potential(draw: st.DrawFn, neuron: Neuron) -> Neuron:
    """The neuron, whose potential the loss reads."""
    return replace(neuron, output="membrane", reset=draw(st.sampled_from(("none", "hard", "soft"))))
