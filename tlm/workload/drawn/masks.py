"""Draw the masks of every layer by a rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.drawn.activity import Activity, Bernoulli, DenseActivity, Like
from tlm.workload.golden.pool import pool_gradient
from tlm.workload.input_kind import CODED
from tlm.workload.model import BoolArray, Layer, Recording, Workload
from tlm.workload.packed import LazyMasks, packed
from tlm.workload.readers import adds_output, shortcuts_from

SEED = 0
_PATCH = 8  # side of the patches that `like` copies: larger than any kernel but the first


def draw(workload: Workload, activity: Activity) -> Recording:
    """Masks for every layer of ``workload``; the same each time."""
    generator = np.random.default_rng(SEED)
    recorded = (
        activity.recorded.load(-1 % len(activity.recorded.iterations))
        if isinstance(activity, Like)
        else None
    )
    spikes, masks, dU = LazyMasks(), LazyMasks(), LazyMasks()
    for layer in workload.layers:
        drawn = _layer_masks(workload, layer, activity, recorded, generator)
        for kind, mask in zip((spikes, masks, dU), drawn, strict=True):
            kind.append(mask)
    return Recording(
        iteration=0,
        inputs=_inputs(workload, activity, generator),
        spikes=spikes,
        masks=masks,
        dU=dU,
        dY=packed(_dY(workload, layer, dU, activity) for layer in workload.layers),
        kept={
            layer.index: _bernoulli(
                (workload.steps, workload.batch, *layer.in_shape), 1 - layer.dropout, generator
            )
            for layer in workload.layers
            if layer.dropout
        },
    )


def _inputs(workload: Workload, activity: Activity, generator: np.random.Generator) -> BoolArray:
    """Analog frames are dense; other input has the activity's density."""
    if CODED[workload.encoding] == "analog" or isinstance(activity, DenseActivity):
        return _ones(workload.input_shape)
    if isinstance(activity, Bernoulli):
        return _bernoulli(workload.input_shape, activity.density, generator)
    recorded = activity.recorded.load(0).inputs
    return _bernoulli(workload.input_shape, float(recorded.mean()), generator)


def _layer_masks(
    workload: Workload,
    layer: Layer,
    activity: Activity,
    recorded: Recording | None,
    generator: np.random.Generator,
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Spikes, masks and dU of one layer."""
    shape = workload.neuron_shape(layer)
    ones = _ones(shape)
    if isinstance(activity, DenseActivity):
        return ones, ones, ones
    if isinstance(activity, Like):
        assert recorded is not None
        # Drawn for a read-out as well, and dropped: later draws depend on the ones before.
        patched = _patched(workload, layer, activity.recorded, recorded, generator)
        return patched if layer.spiking else (ones, ones, ones)
    if not layer.spiking:
        return ones, ones, ones
    # dU lies where the mask lets it: with the same density for both, on the mask itself.
    masks = _bernoulli(shape, activity.density, generator)
    return _bernoulli(shape, activity.density, generator), masks, masks


def _dY(workload: Workload, layer: Layer, dU: Sequence[BoolArray], activity: Activity) -> BoolArray:
    """dY of one layer: behind batch statistics a gradient spreads over its whole channel."""
    if layer.product_is_current:
        return _current_gradient(workload, layer, dU)
    if layer.norm is not None or isinstance(activity, DenseActivity):
        return _ones(workload.product_shape(layer))
    raise WorkloadError(
        f"layer {layer.name}: masks are not drawn behind a pool of currents; pool the spikes"
    )


def _current_gradient(workload: Workload, layer: Layer, dU: Sequence[BoolArray]) -> BoolArray:
    """dI != 0 of a layer: of its neurons, and of all later layers that add its current."""
    dI = dU[layer.index]
    for reader, shortcut in shortcuts_from(layer.index, workload.layers):
        if not adds_output(shortcut, workload.layers):
            returned = _current_gradient(workload, reader, dU)
            for pool, shape in (
                (reader.current_pool, workload.product_shape(reader)),
                (shortcut.pool, workload.neuron_shape(layer)),
            ):
                returned = pool_gradient(pool, np.broadcast_to(np.float32(0), shape), returned) != 0
            dI = dI | returned
    return dI


def _ones(shape: tuple[int, ...]) -> BoolArray:
    """All true, in the memory of a single element."""
    return np.broadcast_to(np.True_, shape)


def _bernoulli(shape: tuple[int, ...], density: float, generator: np.random.Generator) -> BoolArray:
    drawn = np.empty(shape, np.bool_)
    for part in drawn:  # one step or sample at a time: the floats need four times the memory
        part[...] = generator.random(part.shape, np.float32) < density
    return drawn


def _patched(
    workload: Workload,
    layer: Layer,
    job: Workload,
    recorded: Recording,
    generator: np.random.Generator,
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Copy patches of a recorded layer, the same ones of spikes, masks and dU.

    Each channel takes after one recorded channel, each sample's patches come from one recorded
    sample, and all steps of a patch stay together, so that densities by step and channel, and how
    a mask clusters in space, are the recording's.
    """
    source = job.layers[_matching(workload, layer, job)]
    # Each recorded channel and sample as often as any other: else the mean would depend on luck.
    channels = np.resize(generator.permutation(source.out_shape[0]), layer.out_shape[0])
    samples = np.resize(generator.permutation(job.batch), workload.batch)
    steps = np.arange(workload.steps) * job.steps // workload.steps
    tensors = [tensor[source.index] for tensor in (recorded.spikes, recorded.masks, recorded.dU)]
    drawn = [np.empty(workload.neuron_shape(layer), np.bool_) for _ in tensors]
    # An element of eight tensors and steps is copied at once: the bits of a byte.
    recorded_bytes = np.packbits([tensor[step] for tensor in tensors for step in steps], axis=0)
    copies = [into[step] for into in drawn for step in range(workload.steps)]
    for sample in range(workload.batch):
        places = _places(layer, source, channels, generator)
        for at, octets in enumerate(recorded_bytes[:, samples[sample]]):
            copied = np.take(octets, places)
            for bit, into in enumerate(copies[8 * at : 8 * at + 8]):
                np.not_equal(copied & np.uint8(128 >> bit), 0, out=into[sample])
    return drawn[0], drawn[1], drawn[2]


def _matching(workload: Workload, layer: Layer, job: Workload) -> int:
    """Index of the recorded layer of the same kind that is nearest in relative depth."""
    depth = layer.index / max(1, len(workload.layers) - 1)
    spiking = [other for other in job.layers if other.neuron is not None]
    candidates = [other for other in spiking if other.kind == layer.kind] or spiking
    last = max(1, len(job.layers) - 1)
    return min(candidates, key=lambda other: abs(other.index / last - depth)).index


def _places(
    layer: Layer, source: Layer, recorded: NDArray[np.intp], generator: np.random.Generator
) -> NDArray[np.intp]:
    """For every element [K, E, F] its place in the ``recorded`` channels, patch by patch.

    Patches may wrap round the recorded image, so that no place is copied more often than another.
    """
    (channels, rows, columns), (_, height, width) = layer.out_shape, source.out_shape
    tall, wide = min(_PATCH, height), min(_PATCH, width)
    down, across = -(-rows // tall), -(-columns // wide)
    top = generator.integers(height, size=(channels, down, 1, across, 1))
    left = generator.integers(width, size=(channels, down, 1, across, 1))
    y = recorded.reshape(-1, 1, 1, 1, 1) * height + (top + np.arange(tall)[:, None, None]) % height
    x = (left + np.arange(wide)) % width
    places = (y * width + x).reshape(channels, down * tall, across * wide)
    return np.asarray(places[:, :rows, :columns])
