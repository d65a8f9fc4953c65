"""Neurons of every kind, drawn for the layers of a random job."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

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
    return replace(
        layer.neuron,
        reset=draw(st.sampled_from(("hard", "soft"))),
        detach_reset=draw(st.booleans()),
        current_decay=draw(st.sampled_from((0.0, 0.75))),
        learnt=draw(st.sampled_from(LEARNT)),
        by_channel=draw(st.booleans()),
    )


@st.composite
def _potential(draw: st.DrawFn, neuron: Neuron) -> Neuron:
    """The neuron, whose potential the loss reads."""
    return replace(neuron, output="membrane", reset=draw(st.sampled_from(("none", "hard", "soft"))))
