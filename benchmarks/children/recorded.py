"""Writes a recorded job for a peer: ``python -m benchmarks.children.recorded JOB FILE``.

A JSON file: ``batch`` and ``steps``, then by layer its shapes, and ``events``, a text for every
input neuron (channel by channel, row by row) with 1 where it is not zero, sample after sample, step
after step; direct coding shows its image at every step.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from tlm.laws.due.masks import PooledMasks, layer_inputs
from tlm.workload import open_workload
from tlm.workload.model import Layer


def described(layer: Layer, masks: PooledMasks) -> dict[str, Any]:
    """A layer's shapes and the events at its inputs."""
    inputs = np.asarray(layer_inputs(masks, layer))  # [T, B, C, H, W]
    trains = inputs.swapaxes(0, 1).reshape(-1, np.prod(layer.in_shape)).T
    return {
        "kind": layer.kind,
        "sources": layer.sources,
        "inputs": layer.in_shape,
        "outputs": layer.product_shape,
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "max_pool": layer.pool.size if layer.pool is not None else 1,
        "events": ["".join("01"[event] for event in train) for train in trains.tolist()],
    }


def main(job: str, file: str) -> None:
    """Write the last recorded iteration."""
    workload = open_workload(job)
    masks = PooledMasks(workload, workload.load(len(workload.iterations) - 1))
    layers = [described(layer, masks) for layer in workload.layers]
    figures = {"batch": workload.batch, "steps": workload.steps, "layers": layers}
    with open(file, "w", encoding="ascii") as stream:
        json.dump(figures, stream, allow_nan=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
