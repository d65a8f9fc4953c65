"""Bounds: the DRAM bytes of a job by four ways to train it, from the job and its word widths alone.

Sizes are those of the elements, without padding. Every way moves each tensor whole, once for each
phase that needs it: nothing but dW stays in the cores between two phases, every tile fits, and no
two windows share a row.

======== ==========================================================================================
V1       The phases as they are. W: read by FP, by BP but for layers that read only the network's
         input, read and written by the update. Moments: read and written. S: written, read by GRAD
         and by FP and WG of each reader, by BP where it is multiplied with others; by FP and BP of
         a matmul that holds it. m: written, read by GRAD and by BP of each reader. Pooled S and m
         are written beside them. U: written, read. Behind batch statistics Y: written, read by NORM
         and NORM_GRAD, and dI: written, read. dY: written, read by BP and WG. dX, and dM of a
         matmul: written, read. What shortcuts add is read by each; if it is a current (I), it is
         written. dI of their layer is written, and read by GRAD of each layer they come from. So of
         addends, where what was multiplied is read by GRAD as well. Constants by channel: read by
         FP, and by GRAD if it needs them.
V2       V1, but behind batch statistics U, m, and S for GRAD follow from Y and what shortcuts add;
         BP and WG share one read of dY and S; the update uses the W that BP has read.
V3       V2, but GRAD runs twice behind batch statistics, for the sums and for dY: dX, and dI that
         shortcuts return, are read twice, dY and other dI stay in the cores.
V4       V3, but Y follows from the inputs again: FP, NORM and both runs of GRAD read those.
V1 alone In inference. W, the network's input: read. S: written, read by each reader. What
         layers that no other reads put out: written. I: written, read by each shortcut.
======== ==========================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from math import prod

from tlm.config.chip import ChipConfig
from tlm.laws.due.addends import multiplied, returned
from tlm.laws.due.saved import constants_of_gradient, saved_state
from tlm.laws.due.trained import STEP_SCALE
from tlm.laws.job_sizes import JobSizes
from tlm.workload.model import NETWORK_INPUT, Addend, Layer, Neuron, Recording, Workload

WAYS = ("V1", "V2", "V3", "V4")


def bounds_by_class(
    workload: Workload, chip: ChipConfig, recording: Recording | None = None
) -> dict[str, dict[str, int]]:
    """DRAM bytes of each of the four ways, by class of tensor.

    Of stored weights and the tables beside them; without a ``recording`` no weight is zero.
    """
    sizes, bounds = JobSizes(workload, chip, recording), {}
    parts = [_inputs, _neurons, _gradients, _trained] if sizes.learns else [_forward]
    parts.append(_shortcuts)
    for number, way in enumerate(WAYS if sizes.learns else WAYS[:1], start=1):
        bits: Counter[str] = Counter()
        for layer in workload.layers:
            for tensor, amount in chain.from_iterable(part(sizes, layer, number) for part in parts):
                bits[tensor] += amount
        bounds[way] = {tensor: -(-amount // 8) for tensor, amount in sorted(bits.items()) if amount}
    return bounds


def _forward(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits that inference moves of a layer; a matmul reads both operands."""
    precision, weights = sizes.chip.precision, sizes.weights(layer)
    for source in dict.fromkeys(layer.sources):
        if source == NETWORK_INPUT:
            yield "X", round(sizes.network_input * sizes.read_share(source, [layer]))
        else:
            producer = sizes.workload.layers[source]
            share = sizes.read_share(source, [layer])
            yield sizes.output_class(producer), round(sizes.output(producer) * share)
    if (held := layer.held) is not None:
        for source in dict.fromkeys(held.sources):
            producer, share = sizes.workload.layers[source], sizes.read_share(source, [held])
            yield sizes.output_class(producer), round(sizes.output(producer) * share)
    if layer in sizes.read_layers:
        yield sizes.output_class(layer), sizes.output(layer)
    elif layer in sizes.heads:
        yield "output", sizes.outcome(layer)
    stored = sizes.stored(layer)
    if stored is not None:
        table = stored.table_of("fp")
        yield table, stored.beside(table, (0, layer.product_channels)) * precision.weight
    yield "W", weights * precision.weight
    for name, count in sizes.parameters(layer).items():
        yield name, count * precision.weight
    for name in layer.channel_constants:
        yield name, layer.out_shape[0] * precision.weight


def _inputs(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits that FP and WG of a layer read of its sources, and the masks of those that BP reads."""
    reads = 5 if way == 4 and sizes.exact(layer) else 2
    for source in dict.fromkeys(layer.sources):
        if source == NETWORK_INPUT:
            share = sizes.read_share(source, [layer])
            yield "X", reads * round(sizes.network_input * share)
            continue
        producer, share = sizes.workload.layers[source], sizes.read_share(source, [layer])
        yield sizes.output_class(producer), reads * round(sizes.output(producer) * share)
        gated = sizes.read_share(source, [layer], gated=True)
        yield sizes.output_class(producer), round(sizes.output(producer) * gated) * (way == 1)
        if _has_m(producer) and not (way > 1 and sizes.exact(producer)):
            yield "m", round(sizes.pairs * prod(producer.pooled_shape) * share)
    if (held := layer.held) is not None:
        for source in dict.fromkeys(held.sources):
            producer, share = sizes.workload.layers[source], sizes.read_share(source, [held])
            yield sizes.output_class(producer), reads * round(sizes.output(producer) * share)


def _shortcuts(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits of what a layer adds to its currents, and of dI that returns; of its own current."""
    neurons, layers = sizes.pairs * prod(layer.out_shape), sizes.workload.layers
    dI = neurons * sizes.chip.precision.gradient * sizes.learns
    for each in layer.shortcuts:
        source = layers[each.layer]
        derived = sizes.exact(layer) and layer.neuron is not None  # U follows from Y
        reads = (1, 2, 3, 3)[way - 1] if derived else 1
        if sizes.adds_output(each):
            yield sizes.output_class(source), reads * sizes.output(source)
        else:
            yield "I", reads * sizes.current(source)
        times = 2 if way > 2 and sizes.exact(source) else 1
        yield "dI", dI * times
        if layer.current_pool is not None and layer.current_pool.kind == "max":
            yield "winner", neurons * sizes.winner(layer.current_pool) * sizes.learns * times
    if layer.addend is not None:
        yield from _addend(sizes, layer, layer.addend, way)
    if layer.added and not (sizes.exact(layer) and way <= 2):  # there it is written anyway
        yield "dI", dI
    added = {
        each.layer for reader in layers for each in reader.shortcuts if not sizes.adds_output(each)
    }
    if layer.index in added:
        yield "I", sizes.current(layer)


def _addend(sizes: JobSizes, layer: Layer, addend: Addend, way: int) -> Iterator[tuple[str, int]]:
    """Bits of what a layer puts together, and of the way back of its dI; gates are read again."""
    dI = sizes.pairs * prod(layer.out_shape) * sizes.chip.precision.gradient * sizes.learns
    layers = sizes.workload.layers
    for at in dict.fromkeys(addend.sources):
        source, share = layers[at], sizes.read_share(at, [addend])
        for other in dict.fromkeys(addend.sources) if sizes.learns else ():
            share += float(multiplied(addend, layers, at, other).mean())
        yield sizes.output_class(source), round(sizes.output(source) * share)
        part = float(returned(addend, layers, at).mean())
        yield "dI", round(dI * part) * (2 if way > 2 and sizes.exact(source) else 1)


def _neurons(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits of what FP leaves of a layer, and of what GRAD reads of it."""
    neurons = sizes.pairs * prod(layer.out_shape)
    pooled = sizes.pairs * prod(layer.pooled_shape)
    derived = way > 1 and sizes.exact(layer)
    read = layer in sizes.read_layers
    if layer.current_pool is not None and layer.current_pool.kind == "max":
        yield "winner", 2 * neurons * sizes.winner(layer.current_pool)
    if layer.neuron is None:
        if read:
            yield "A", sizes.output(layer)
            if layer.pool is not None and layer.pool.kind == "max":
                yield "winner", 2 * pooled * sizes.winner(layer.pool)
        return
    copies = read and layer.pool is not None
    if derived:
        yield "S", sizes.output(layer) if copies else neurons * layer.spiking
        return
    saved = saved_state(layer)
    yield "U", 2 * neurons * sizes.chip.precision.membrane * ("U" in saved)
    yield "S", 2 * neurons * ("S" in saved) + copies * sizes.output(layer)
    if _has_m(layer):
        yield "m", 2 * neurons + copies * pooled


def _has_m(layer: Layer) -> bool:
    """Whether m of a layer says anything: a surrogate of unbounded support sets each of them."""
    return "m" in saved_state(layer) and isinstance(layer.neuron, Neuron) and layer.neuron.compact


def _gradients(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits of the currents and gradients of a layer."""
    precision, exact = sizes.chip.precision, sizes.exact(layer)
    products = sizes.pairs * prod(layer.product_shape)
    if exact:
        neurons = sizes.pairs * prod(layer.out_shape)
        yield "Y", products * precision.membrane * (3, 4, 4, 0)[way - 1]
        yield "dI", neurons * precision.gradient * (2, 2, 0, 0)[way - 1]
    producers = [sizes.workload.layers[at] for at in layer.sources if at != NETWORK_INPUT]
    yield "dY", products * precision.gradient * (2 + bool(producers), 2, 0, 0)[way - 1]
    if producers:
        twice = way > 2 and any(sizes.exact(producer) for producer in producers)
        dX = sizes.pairs * prod(layer.in_shape) * precision.gradient
        yield "dX", dX * (3 if twice else 2)
    if (held := layer.held) is not None:
        twice = way > 2 and any(sizes.exact(sizes.workload.layers[at]) for at in held.sources)
        dM = sizes.pairs * prod(layer.factor_shape) * precision.gradient
        yield "dM", dM * (3 if twice else 2)


def _trained(sizes: JobSizes, layer: Layer, way: int) -> Iterator[tuple[str, int]]:
    """Bits of W and of what is trained of channels, with their moments."""
    precision, weights = sizes.chip.precision, sizes.weights(layer)
    propagates = any(source != NETWORK_INPUT for source in layer.sources)
    stored = sizes.stored(layer)
    if stored is not None:
        every = (0, layer.product_channels)
        readers = ["fp", "wg", *["bp"] * propagates]
        for table in map(stored.table_of, readers):
            yield table, stored.beside(table, every) * precision.weight
    yield "W", weights * precision.weight * (4 if propagates and way == 1 else 3)
    for name, count in sizes.parameters(
        layer
    ).items():  # scales, and what sets a decay, are needed in BP too
        again = name in ("scale", STEP_SCALE, *layer.learnt)
        yield name, count * precision.weight * (4 if again else 3)
    derived = way > 1 and sizes.exact(layer)  # U follows from Y, and that from all constants
    for name in layer.channel_constants:
        again = derived or name in constants_of_gradient(layer)
        yield name, layer.out_shape[0] * precision.weight * (2 if again else 1)
    yield "moments", 2 * sizes.moments(layer) * precision.optimizer
