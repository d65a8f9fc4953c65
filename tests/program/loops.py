"""Jobs with layers that read their own output of the step before."""

from __future__ import annotations

from tests.program.graphs import add, builder, recurrent, window, workload
from tlm.workload.model import Pool
from tlm.workload.operand import Gate, Line, Term


def own(net, delay=1):
    """The output of the layer that is added next, as a term of what it reads."""
    return Term(len(net.layers), delay=delay)


def cell(net, source, inputs, channels):
    """A linear layer that reads a ``source`` of so many channels beside its own spikes."""
    return recurrent(net, (inputs, [Term(source)]), (channels, [own(net)]), channels=channels)


def beside_the_input(steps=3):
    """The one hidden layer of most spoken-digit networks, and a read-out."""
    net = builder((20, 1, 1))
    trains = Term(-1, (window((20, 1, 1)),))
    recurrent(net, (20, [trains]), (24, [own(net)]), channels=24)
    net.linear(5, readout=True)
    return workload(net.layers, steps, batch=3)


def behind_a_product(steps=3):
    """As it is recorded where two linear layers meet in a neuron: W x[t] + V s[t - 1]."""
    net = builder((20, 1, 1))
    net.linear(24, readout=True)
    recurrent(net, (24, [own(net)]), channels=24)
    add(net, 1, 0)
    net.linear(5, readout=True)
    return workload(net.layers, steps, batch=3)


def stack(steps=3):
    """Two recurrent layers behind each other; the loss reads the spikes of the second."""
    net = builder((12, 1, 1))
    net.linear(20)
    cell(net, 0, 20, 24)
    cell(net, 1, 24, 18)
    return workload(net.layers, steps, batch=3)


def convolutions(steps=3):
    """A convolution of what comes and of its own spikes, side by side; then both are added."""
    net = builder((3, 6, 5))
    first = net.conv(6, kernel=3, padding=1)
    recurrent(net, (6, [Term(first)]), (8, [own(net)]), channels=8, kernel=3)
    recurrent(net, (8, [Term(1), own(net)]), channels=8, kernel=3)
    net.linear(4)
    return workload(net.layers, steps, batch=2)


def on_the_way(steps=3):
    """Its own spikes gate what comes; others are pooled, cropped, and read of two steps before."""
    net = builder((3, 6, 6))
    first = net.conv(8, kernel=3, padding=1)
    gated = Term(first, gates=(Gate(len(net.layers), delay=1),))
    recurrent(net, (8, [gated]), channels=8, kernel=3)
    same = Pool.square("max", 3, 1, 1)
    crop = window((8, 6, 6), channels=(2, 6), rows=Line(1, 6, after=1))
    late = Term(len(net.layers), (same, crop), delay=2)
    recurrent(net, (8, [Term(1)]), (4, [late]), channels=8, kernel=3)
    net.linear(4)
    return workload(net.layers, steps, batch=2)


LOOPS = {
    "beside the input": beside_the_input,
    "behind a product": behind_a_product,
    "stack": stack,
    "convolutions": convolutions,
    "on the way": on_the_way,
}
