"""A dropout in NumPy, by what was recorded that it kept."""

from __future__ import annotations

from tlm.workload.model import BoolArray, Layer
from tlm.workload.values import Numbers


def dropped(layer: Layer, values: Numbers, kept: BoolArray | None) -> Numbers:
    """``values`` [T, B, ...] of a layer's input, or of its gradient, behind the layer's dropout.

    What is kept is divided by the share that is kept on average (Srivastava et al., JMLR 2014, as
    PyTorch scales it); the rest is 0.
    """
    if kept is None:
        return values
    return values * kept.reshape(values.shape) / (1 - layer.dropout)
