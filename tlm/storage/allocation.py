"""Placing: gives every tensor of a plan its address in DRAM."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from math import gcd

from tlm.counts.packed_weights import PackedWeights
from tlm.errors import MappingError
from tlm.placement.profile import output_width
from tlm.storage.address import PackedTensor, Tensor, Weights
from tlm.storage.plan import LayerPlan, LayerTensors, Plan
from tlm.storage.slice_sizes import held_gradient_bits, partial_bits, winner_bits
from tlm.workload.input_kind import network_input_kind
from tlm.workload.model import Layer, Shape3, input_frame


def allocate(plan: Plan) -> None:
    """Give every tensor its address; raise MappingError if DRAM is too small."""
    network = _network_input(plan)
    for layer_plan in plan.layers:
        outputs = {
            producer.layer.index: producer.addressed.output for producer in layer_plan.producers
        }
        sources = [outputs.get(feed.source, network) for feed in layer_plan.feeds]
        layer_plan.addressed = LayerTensors([s for s in sources if s is not None], {}, {})
        if layer_plan.held is not None:
            held = [outputs[feed.source] for feed in layer_plan.held.feeds]
            layer_plan.addressed.held = [tensor for tensor in held if tensor is not None]
        if plan.workload.learns:
            _state(plan, layer_plan)
            _gradients(plan, layer_plan)
            layer_plan.addressed.output = layer_plan.addressed.tensors.get("spikes")
        else:
            _output(plan, layer_plan)
        if layer_plan.layer.weighted:
            _weights(plan, layer_plan)
    for layer_plan in plan.layers:
        _channel_parameters(plan, layer_plan)
    if plan.addresses.top > plan.addresses.capacity:
        raise MappingError(
            f"dram.channels: the job needs {plan.addresses.top} B of DRAM, the chip's have "
            f"{plan.addresses.capacity} B; use more channels or a larger device"
        )


def _network_input(plan: Plan) -> Tensor:
    workload = plan.workload
    kind = network_input_kind(workload.layers, workload.encoding)
    bits = 1 if kind == "binary" else plan.chip.precision.input
    steps = 1 if workload.encoding == "direct" else plan.steps
    return _tensor(plan, "X", input_frame(workload.layers), steps, bits, plan.arrays.tile)


def _state(plan: Plan, layer_plan: LayerPlan) -> None:
    """What FP leaves: U, S and m, what later layers read of them, and spilled currents."""
    name, layer, precision = layer_plan.layer.name, layer_plan.layer, plan.chip.precision
    group = _group(plan, layer)
    shapes: dict[str, tuple[Shape3, int]] = {}
    if layer_plan.exact and layer_plan.stored.Y == "dram":
        shapes["Y"] = (layer.product_shape, precision.membrane)
    spilled = layer_plan.state == "spill"
    if layer_plan.current_adders:
        shapes["I"] = (layer.out_shape, precision.membrane)
    for key in layer.saved_state:
        readers = layer_plan.consumers or (key == "S" and layer_plan.output_adders)
        read = key != "U" and readers and layer.pool is None
        if (spilled or read) and (key != "m" or layer_plan.has_m):
            shapes[key] = (layer.out_shape, precision.membrane if key == "U" else 1)
    winner = winner_bits(layer.current_pool)
    if winner and (spilled or layer.neuron is None or layer.added):
        shapes["winner"] = (layer.out_shape, winner)
    # A wavefront reads U back where FP has saved it; a synaptic current is saved nowhere else.
    if not (plan.schedule.by_step and "U" in shapes and not layer.current_based):
        _carry(plan, layer_plan)
    for key, (shape, bits) in shapes.items():
        layer_plan.addressed.tensors[key] = _tensor(
            plan, f"{name}.{key}", shape, plan.steps, bits, group
        )
    if not (layer_plan.consumers or layer_plan.output_adders):
        return
    if layer.neuron is None:
        _values(plan, layer_plan)
        return
    tensors = layer_plan.addressed.tensors
    if layer.pool is None:
        tensors["spikes"] = tensors["S"]
        if "m" in tensors:
            tensors["need"] = tensors["m"]
        return
    width, masked = output_width(layer, plan.chip), bool(layer_plan.consumers) and layer_plan.has_m
    copies = [("spikes", "S_pooled", width), *[("need", "m_pooled", 1)] * masked]
    for key, suffix, bits in copies:
        tensors[key] = _tensor(
            plan, f"{name}.{suffix}", layer.pooled_shape, plan.steps, bits, group
        )


def _carry(plan: Plan, layer_plan: LayerPlan) -> None:
    """Where U waits between blocks of steps, if it leaves the core: the last step alone."""
    layer = layer_plan.layer
    if layer_plan.stored.U == "dram" and layer.neuron is not None:
        bits, name = layer.state_words * plan.chip.precision.membrane, f"{layer.name}.carry"
        tensor = _tensor(plan, name, layer.out_shape, 1, bits, _group(plan, layer))
        layer_plan.addressed.tensors["carry"] = tensor


def _output(plan: Plan, layer_plan: LayerPlan) -> None:
    """What inference leaves of a layer: its output, for the host or for later layers.

    Where later layers get all of it over the mesh, it has a shape, but no place in DRAM.
    """
    layer, group = layer_plan.layer, _group(plan, layer_plan.layer)
    _carry(plan, layer_plan)
    bits = output_width(layer, plan.chip)
    if layer_plan.current_adders:
        shape, width = layer.out_shape, plan.chip.precision.membrane
        tensor = _tensor(plan, f"{layer.name}.I", shape, plan.steps, width, group)
        layer_plan.addressed.tensors["I"] = tensor
    if layer_plan.head:
        bits = bits if layer.spiking else plan.chip.precision.membrane
        tensors = layer_plan.addressed.tensors
        name = f"{layer.name}.output"
        tensors["output"] = _tensor(plan, name, layer.pooled_shape, plan.steps, bits, group)
        return
    name = f"{layer.name}.{'A' if layer.neuron is None else 'S'}"
    tensor = _shaped(plan, name, layer.pooled_shape, plan.steps, bits, group)
    layer_plan.addressed.output = tensor
    if layer_plan.stored.S == "dram":
        _place(plan, tensor)
        layer_plan.addressed.tensors["spikes"] = tensor


def _values(plan: Plan, layer_plan: LayerPlan) -> None:
    """What a layer without neurons leaves: values, and which one of a window each of them was."""
    name, pool, group = layer_plan.layer.name, layer_plan.layer.pool, _group(plan, layer_plan.layer)
    values = _tensor(
        plan,
        f"{name}.A",
        layer_plan.layer.pooled_shape,
        plan.steps,
        plan.chip.precision.input,
        group,
    )
    layer_plan.addressed.tensors["spikes"] = values
    if pool is None:
        layer_plan.addressed.tensors["S"] = values
    elif pool.kind == "max":
        shape = layer_plan.layer.pooled_shape
        layer_plan.addressed.tensors["need"] = _tensor(
            plan, f"{name}.A_winner", shape, plan.steps, winner_bits(pool), group
        )


def _gradients(plan: Plan, layer_plan: LayerPlan) -> None:
    """What BP leaves for layers before and for WG, where it does not fit the cores."""
    name, layer, bits = layer_plan.layer.name, layer_plan.layer, plan.chip.precision.gradient
    group = _group(plan, layer)
    if layer_plan.stored.dI == "dram":
        layer_plan.addressed.tensors["dI"] = _tensor(
            plan, f"{name}.dI", layer.out_shape, plan.steps, bits, group
        )
    if any(other.summed_by is layer_plan for other in plan.layers):
        layer_plan.addressed.tensors["dS"] = _tensor(
            plan, f"{name}.dS", layer.pooled_shape, plan.steps, bits, group
        )
    if layer_plan.stored.dY == "dram":
        layer_plan.addressed.tensors["dY"] = _tensor(
            plan, f"{name}.dY", layer.product_shape, plan.steps, bits, group
        )
    spilled = layer_plan.spilled_inputs
    if spilled:
        for k in range(layer_plan.cut.split.k):
            key = f"dX{k}"
            # What BP writes and the producers read: chunks of inputs, output tiles, parts.
            pieces = gcd(plan.arrays.chunk, plan.arrays.tile)
            if layer.groups > 1:
                pieces = gcd(pieces, layer.factor_shape[1])
            if spilled != [(0, layer.in_shape[0])]:
                pieces = gcd(pieces, layer.in_shape[0], *chain.from_iterable(spilled))
            tensor = _shaped(
                plan,
                f"{name}.{key}",
                layer.in_shape,
                plan.steps,
                partial_bits(plan, layer_plan),
                pieces,
            )
            tensor = replace(tensor, by_pair=layer_plan.held is not None)
            _place(plan, tensor)
            layer_plan.addressed.tensors[key] = tensor
    if layer_plan.held is not None:
        _held_gradients(plan, layer_plan)


def _held_gradients(plan: Plan, layer_plan: LayerPlan) -> None:
    """dM of a matmul as WG makes it: outputs for channels, the inputs of a group for rows.

    There is one for each row cut, whose sums are partial then.
    """
    layer, parts = layer_plan.layer, layer_plan.cut.split.spatial
    outputs, inputs, *_ = layer.factor_shape
    for part in range(parts):
        key, bits = f"dM{part}", held_gradient_bits(plan, layer_plan)
        name, shape = f"{layer.name}.{key}", (outputs, inputs, 1)
        tensor = _shaped(plan, name, shape, plan.steps, bits, _group(plan, layer))
        tensor = replace(tensor, by_pair=True)
        _place(plan, tensor)
        layer_plan.addressed.tensors[key] = tensor


def _weights(plan: Plan, layer_plan: LayerPlan) -> None:
    precision = plan.chip.precision
    widths = _trained_widths(plan, "W", "")
    if layer_plan.stored.dW == "dram":
        widths += [
            (f"dW.core{part.core:02d}", precision.partial_sum) for part in layer_plan.cut.slices
        ]
    taps = layer_plan.layer.kernel[0] * layer_plan.layer.kernel[1]
    packed = layer_plan.weights.packed
    if packed is not None:
        _packed_weights(plan, layer_plan, packed, widths)
        return
    for key, bits in widths:
        tensor = Weights(
            name=f"{layer_plan.layer.name}.{key}",
            address=plan.addresses.top,
            outputs=layer_plan.layer.product_channels,
            inputs=layer_plan.layer.weight_shape[1],
            groups=layer_plan.layer.groups,
            taps=taps,
            tile=plan.arrays.tile,
            chunk=plan.arrays.chunk,
            bits=bits,
        )
        plan.addresses.reserve(tensor.nbytes)
        plan.addresses.add(tensor)
        layer_plan.addressed.weights[key] = tensor


def _packed_weights(
    plan: Plan, layer_plan: LayerPlan, packed: PackedWeights, widths: list[tuple[str, int]]
) -> None:
    """What is trained of stored weights, and the tables that say where they belong."""
    weight = plan.chip.precision.weight
    tables = [(key, packed.values, bits) for key, bits in widths]
    tables.append(("W.index", packed.index, weight))
    if packed.reverse is not None:
        tables.append(("W.reverse", packed.reverse, weight))
    for key, words, bits in tables:
        name = f"{layer_plan.layer.name}.{key}"
        tensor = PackedTensor(name, plan.addresses.top, packed, words, bits)
        plan.addresses.reserve(tensor.nbytes)
        plan.addresses.add(tensor)
        layer_plan.addressed.weights[key] = tensor


def _channel_parameters(plan: Plan, layer_plan: LayerPlan) -> None:
    """What is trained of a layer's channels, and of the layer, lies behind all else.

    Behind that lie the constants of its neurons, which no optimizer has moments of.
    """
    channels = layer_plan.layer.out_shape[0]
    outputs = {name: channels * layer_plan.numbers(name) for name in layer_plan.channel_parameters}
    outputs |= layer_plan.layer_numbers
    widths = {name: _trained_widths(plan, name, f"{name}.") for name in outputs}
    for name in layer_plan.layer.channel_constants:
        outputs[name], widths[name] = channels, [(name, plan.chip.precision.weight)]
    for name, count in outputs.items():
        for key, bits in widths[name]:
            tensor = Weights(
                name=f"{layer_plan.layer.name}.{key}",
                address=plan.addresses.top,
                outputs=count,
                inputs=1,
                taps=1,
                tile=plan.arrays.tile,
                chunk=1,
                bits=bits,
            )
            plan.addresses.reserve(tensor.nbytes)
            plan.addresses.add(tensor)
            layer_plan.addressed.weights[key] = tensor


def _trained_widths(plan: Plan, name: str, prefix: str) -> list[tuple[str, int]]:
    """Keys and widths of a trained tensor and of the optimizer's moments of it."""
    precision = plan.chip.precision
    widths: list[tuple[str, int]] = [(name, precision.weight)]
    if plan.workload.learns and plan.workload.optimizer == "adam":
        widths += [(f"{prefix}moment{at}", precision.optimizer) for at in (1, 2)]
    return widths


def _group(plan: Plan, layer: Layer) -> int:
    """Channels that lie together: of grouped convolutions, no more than are made together."""
    tile = plan.arrays.tile
    return tile if layer.groups == 1 else gcd(tile, layer.out_shape[0] // layer.groups)


def _tensor(plan: Plan, name: str, shape: Shape3, steps: int, bits: int, group: int) -> Tensor:
    """A tensor of all samples behind all that have a place."""
    tensor = _shaped(plan, name, shape, steps, bits, group)
    _place(plan, tensor)
    return tensor


def _place(plan: Plan, tensor: Tensor) -> None:
    plan.addresses.reserve(tensor.nbytes)
    plan.addresses.add(tensor)


def _shaped(plan: Plan, name: str, shape: Shape3, steps: int, bits: int, group: int) -> Tensor:
    """A tensor of all samples where the next one would lie."""
    channels, rows, width = shape
    return Tensor(
        name=name,
        address=plan.addresses.top,
        channels=channels,
        group=group,
        samples=plan.workload.batch,
        steps=steps,
        rows=rows,
        width=width,
        bits=bits,
    )
