"""The same network as an ANN: what a spiking job is to be measured against.

One step instead of T, 16 bit activations instead of spikes, no neurons (a layer's output is its
current; the rectifier, one comparison, is left out), and nothing zero: every multiply-accumulate
of FP, BP and WG is done. Shapes, batch, weights, normalisation, pooling and optimizer stay.
"""

from __future__ import annotations

from dataclasses import replace

from tlm.workload.drawn.activity import DenseActivity
from tlm.workload.drawn.tensors import redrawn
from tlm.workload.model import Layer, Workload

DRAWN_AS = "dense ANN (T=1, analog activations, no neurons)"


def as_ann(workload: Workload) -> Workload:
    """``workload`` as an ANN of the same shapes, with one iteration of all-ones masks."""
    dense = redrawn(workload, DenseActivity(), DRAWN_AS)
    layers = tuple(map(_analog, workload.layers))
    return replace(dense, layers=layers, steps=1, encoding="direct")


def _analog(layer: Layer) -> Layer:
    return replace(layer, input_kind="analog", neuron=None)
