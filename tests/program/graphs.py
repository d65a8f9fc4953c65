"""Jobs that are graphs: residual sums, pools, read-outs, batch norm; and bundled ones cut."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from tests.program.jobs import NEURON, broken_by, loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.space.feeds import operand_shape
from tlm.workload.builder import Builder
from tlm.workload.file.graph import check_layers
from tlm.workload.input_kind import kind_of
from tlm.workload.model import Layer, Norm, Recording, Shortcut, Workload
from tlm.workload.operand import Operand, Part, whole
from tlm.workload.readers import has_dY
from tlm.workload.surrogate import lif_neuron

NORM = Norm("batch", 1e-5, per_step=False)


def builder(in_shape, norm=None, analog=False):
    """An empty network."""
    return Builder(in_shape, lif_neuron(), norm, analog)


def workload(layers, steps=2, batch=2):
    """A job of some layers, without a file."""
    return Workload(
        Path("graph"), "graph", tuple(layers), steps, batch, "random", "none", 0.0, "adam", "rate",
        (0,), ("bits",), {}, "0" * 64,
    )  # fmt: skip


def add(net, reader, source, of="current", pool=None):
    """A shortcut from layer ``source`` to the currents of layer ``reader``."""
    layer = net.layers[reader]
    net.layers[reader] = replace(layer, shortcuts=(*layer.shortcuts, Shortcut(source, of, pool)))


def identity(net, sources, neuron=NEURON, input_pool=None, pool=None):
    """A layer without weights that reads the sum of ``sources``; its index."""
    shape = net.layers[sources[0]].pooled_shape
    shape = shape if input_pool is None else input_pool.pooled(shape)
    index = len(net.layers)
    layer = Layer(
        index, f"identity{index}", "identity", shape, shape, (1, 1), (1, 1), (0, 0),
        tuple(sources), input_pool, "binary", False, None, None, neuron, pool,
    )  # fmt: skip
    net.layers.append(replace(layer, input_kind=kind_of(layer, net.layers, "binary")))
    return index


def gathering(net, *parts, neuron=NEURON, input_pool=None, pool=None):
    """A layer without weights that reads parts: each a number of channels and its terms."""
    operand = Operand(tuple(Part(wide, tuple(terms)) for wide, terms in parts))
    index = identity(net, [0], neuron, None, pool)
    layer = replace(
        net.layers[index], sources=operand.sources, operand=operand, input_pool=input_pool
    )
    shape = operand_shape(layer, net.layers)
    shape = shape if input_pool is None else input_pool.pooled(shape)
    layer = replace(layer, in_shape=shape, out_shape=shape)
    net.layers[index] = replace(layer, input_kind=kind_of(layer, net.layers, "binary"))
    check_layers(Path("graph"), tuple(net.layers))
    return index


def without_neurons(net, index):
    """Layer ``index`` leaves its currents."""
    net.layers[index] = replace(net.layers[index], neuron=None)


def recording(job, seed=0, density=0.4, live=1.0):
    """Random masks; a read-out's are all true, behind batch statistics so is dL/dY."""
    draw = np.random.default_rng(seed)
    spikes, masks, gradients, output = [], [], [], []
    for layer in job.layers:
        shape = job.neuron_shape(layer)
        some = [draw.random(shape) < density for _ in range(3)]
        some[2] &= draw.random((*shape[:2], 1, 1, 1)) < live
        if layer.neuron is None:
            some = [np.ones(shape, bool), np.ones(shape, bool), some[2]]
        spikes.append(some[0])
        masks.append(some[1])
        gradients.append(some[2])
        if layer.norm is not None:
            output.append(np.ones(job.product_shape(layer), bool))
        elif has_dY(layer, job.layers):
            output.append(draw.random(job.product_shape(layer)) < density)
        else:
            output.append(some[2])
    inputs = draw.random(job.input_shape) < density
    return Recording(0, inputs, *map(tuple, (spikes, masks, gradients, output)))


def cut(job, recorded, batch, steps):
    """A recorded job reduced to its first samples and steps."""

    def some(arrays):
        return tuple(one[:steps, :batch] for one in arrays)

    direct = recorded.inputs.ndim == 4
    inputs = recorded.inputs[:batch] if direct else recorded.inputs[:steps, :batch]
    return replace(job, batch=batch, steps=steps), Recording(
        recorded.iteration, inputs, some(recorded.spikes), some(recorded.masks),
        some(recorded.dU), some(recorded.dY),
    )  # fmt: skip


def broken_laws(plan, program, *overrides):
    """The laws that a run of a planned program breaks, and the settled chip."""
    loaded = loaded_chip(*overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    chip = Chip(loaded.config, timing, program, None, None)
    run_until(chip.env, chip.finished)
    chip.settle()
    return broken_by(chip, plan, program, loaded.energy), chip


def put_together(net, *parts, channels, kernel=1, padding=0, input_pool=None, linear=False):
    """Add a layer that reads parts: each a number of channels and its terms."""
    layers = net.layers
    operand = Operand(tuple(Part(wide, tuple(terms)) for wide, terms in parts))
    sources = operand.sources
    plain = layers[net.linear(channels) if linear else net.conv(channels, kernel)]
    layer = replace(plain, sources=sources, operand=operand, input_pool=input_pool)
    shape = operand_shape(layer, layers)
    shape = shape if input_pool is None else input_pool.pooled(shape)
    shape = (prod(shape), 1, 1) if linear else shape
    layer = replace(layer, in_shape=shape, padding=(0, 0) if linear else (padding, padding))
    kind = "analog" if layers[0].input_kind == "analog" else "binary"
    layer = replace(layer, input_kind=kind_of(layer, layers, kind))
    layer = layer if linear else replace(layer, out_shape=layer.product_shape)
    layers[-1] = layer
    check_layers(Path("graph"), tuple(layers))
    return layer.index


def recurrent(net, *parts, channels, kernel=None, neuron=NEURON):
    """Add a layer that reads parts, its own output of the step before among them: its index.

    A part is a number of channels and its terms, which name the layer as ``len(net.layers)``. It is
    linear without a ``kernel``, else a convolution that keeps rows and columns.
    """
    operand = Operand(tuple(Part(wide, tuple(terms)) for wide, terms in parts))
    index = net.linear(channels) if kernel is None else net.conv(channels, kernel, 1, kernel // 2)
    layer = replace(net.layers[index], sources=operand.sources, operand=operand, neuron=neuron)
    shape = operand_shape(layer, net.layers)
    shape = (prod(shape), 1, 1) if kernel is None else shape
    kind = kind_of(layer, net.layers, "binary")
    net.layers[index] = replace(layer, in_shape=shape, input_kind=kind)
    check_layers(Path("graph"), tuple(net.layers))
    return index


def window(shape, channels=None, rows=None, columns=None):
    """A window on ``shape``; what is not said is whole."""
    return replace(
        whole(shape),
        **({} if channels is None else {"start": channels[0], "stop": channels[1]}),
        **({} if rows is None else {"rows": rows}),
        **({} if columns is None else {"columns": columns}),
    )
