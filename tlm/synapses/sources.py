"""Weights to lay out: of a job's layer, of a file, or drawn for a shape."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlm.errors import ConfigError, WorkloadError
from tlm.space.array_types import Cells, Floats
from tlm.synapses.filters import Filters
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.pruning import pruned
from tlm.synapses.quantised import quantised
from tlm.workload import Layer, Workload, open_workload
from tlm.workload.weight_file import read_matrix

MOST_WEIGHTS = 1 << 24
_SHAPE = re.compile(r"(\d{1,9})x(\d{1,9})", re.ASCII)


@dataclass(frozen=True, eq=False)
class WeightSource:
    """Weights [inputs, outputs]: whole numbers are codes as they are, others are quantised.

    ``origin`` says in words where they come from. Those of a convolution are [R S C / groups, K],
    as :meth:`Filters.matrix` has them, and ``layer`` is the layer.
    """

    name: str
    origin: str
    weights: Cells
    layer: Layer | None = None

    def matrix(self, width: int, density: float) -> SynapseMatrix:
        """Codes of ``width`` bits of the share ``density`` of largest weights."""
        weights = pruned(self.weights, density)
        is_code = np.issubdtype(weights.dtype, np.integer)
        return SynapseMatrix(weights if is_code else quantised(weights, width).codes, width)

    @property
    def is_convolution(self) -> bool:
        """Whether its connectivity is that of a convolution."""
        return self.layer is not None and self.layer.kind == "conv"

    def filters(self, matrix: SynapseMatrix) -> Filters:
        """The filters of which ``matrix`` holds the codes.

        Raises:
            ConfigError: they are no convolution's.
        """
        layer = self.layer
        if layer is None or layer.kind != "conv":
            raise ConfigError(
                f"{self.name} is no convolution: its organisations are those without "
                '"conv " before the name'
            )
        if layer.dilation != (1, 1):
            raise ConfigError(
                f"{self.name} is dilated, which no organisation of convolutions is for: its "
                'organisations are those without "conv " before the name'
            )
        filters, channels, *window = layer.weight_shape
        codes = matrix.codes.reshape(*window, channels, filters).transpose(3, 2, 0, 1)
        image = layer.in_shape[1:]
        return Filters(codes, matrix.width, image, layer.padding, layer.stride, layer.groups)


def open_source(text: str, layer: str | None, seed: int) -> WeightSource:
    """The weights of ``784x128``, of a ``.npy`` file, or of a job's layer: ``mnist-fc:fc1``.

    What has no weights of its own (a shape, or a job without recorded ones) has them drawn with
    ``seed``.

    Raises:
        WorkloadError: there are none by that name, or the file is none.
    """
    shape = _SHAPE.fullmatch(text)
    if layer is None and shape:
        return _drawn_source(text, (int(shape[1]), int(shape[2])), seed)
    if layer is None and text.endswith(".npy"):
        return WeightSource(text, "of the file", read_matrix(Path(text)))
    if layer is None:
        text, _, layer = text.rpartition(":") if ":" in text else (text, "", "")
    job = open_workload(text)
    return _layer_source(job, _layer(job, layer), seed)


def _layer(job: Workload, name: str) -> Layer:
    """The layer of that name, which has weights of its own."""
    names = [layer.name for layer in job.layers if layer.weighted]
    for layer in job.layers:
        if layer.name == name and not layer.weighted:
            raise WorkloadError(
                f"{job.name}:{name} has no weights ({layer.kind}); those that have: "
                f"{', '.join(names)}"
            )
        if layer.name == name:
            return layer
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f'; did you mean "{job.name}:{near[0]}"?' if near else ";"
    what = f'no layer "{name}"{hint}' if name else f"name a layer, as in {job.name}:{names[0]};"
    raise WorkloadError(f"{job.name}: {what} there are: {', '.join(names)}")


def _layer_source(job: Workload, layer: Layer, seed: int) -> WeightSource:
    """The weights of the last iteration that has them."""
    name = f"{job.name}:{layer.name}"
    recorded = [at for at, level in enumerate(job.levels) if level != "bits"]
    if not recorded or job.tensors is None:
        filters = layer.weight_shape[0]
        rows = int(np.prod(layer.weight_shape[1:]))
        drawn = _drawn_source(name, (rows, filters), seed)
        return WeightSource(name, f"{drawn.origin}: the job records none", drawn.weights, layer)
    values = job.load_values(recorded[-1])
    weights = values.parameters[layer.index].weights
    origin = f"recorded in iteration {job.iterations[recorded[-1]]}"
    matrix = weights.transpose(2, 3, 1, 0).reshape(-1, len(weights))
    return WeightSource(name, origin, matrix, layer)


def _drawn_source(name: str, shape: tuple[int, int], seed: int) -> WeightSource:
    """Weights of which none rounds to zero, whatever the width."""
    if not 1 <= shape[0] * shape[1] <= MOST_WEIGHTS:
        raise WorkloadError(
            f"{name}: expected 1 to {MOST_WEIGHTS:,} weights, got {shape[0] * shape[1]:,}; "
            "take a smaller shape"
        )
    generator = np.random.default_rng(seed)
    weights: Floats = generator.uniform(0.6, 1.0, shape) * generator.choice((-1.0, 1.0), shape)
    return WeightSource(name, f"drawn (seed {seed})", weights)
