"""Placing: gives every tensor of a plan its address in DRAM."""

from __future__ import annotations

from math import gcd

from tlm.errors import MappingError
from tlm.storage.address import Tensor, Weights
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.residency import partial_bits
from tlm.workload.model import Layer, Shape3


def place(plan: Plan) -> None:
    """Give every tensor its address; raise MappingError if DRAM is too small."""
    first = plan.workload.layers[0]
    direct = plan.workload.encoding == "direct"
    bits = plan.chip.precision.input if first.input_kind == "analog" else 1
    network = _tensor(plan, "X", first.in_shape, 1 if direct else plan.steps, bits, plan.array.tile)
    for lp in plan.layers:
        lp.feeds = [one.tensors["spikes"] for one in lp.producers] or [network]
        _state(plan, lp)
        _gradients(plan, lp)
        _weights(plan, lp)
    if plan.addresses.top > plan.addresses.capacity:
        raise MappingError(
            f"the job needs {plan.addresses.top} B of DRAM, the chip has "
            f"{plan.addresses.capacity} B; use more channels or a larger device"
        )


def _state(plan: Plan, lp: LayerPlan) -> None:
    """What FP leaves: U, S and m, what later layers read of them, and spilled currents."""
    name, layer, precision = lp.layer.name, lp.layer, plan.chip.precision
    group = _group(plan, layer)
    wanted: dict[str, tuple[Shape3, int]] = {}
    if lp.exact and lp.currents == "dram":
        wanted["Y"] = (layer.product_shape, precision.membrane)
    if layer.neuron is not None:
        if lp.state == "spill":
            wanted["U"] = (layer.out_shape, precision.membrane)
        wanted |= {"S": (layer.out_shape, 1), "m": (layer.out_shape, 1)}
    if layer.current_pool is not None and layer.current_pool.kind == "max":
        wanted["winner"] = (layer.out_shape, (layer.current_pool.size**2 - 1).bit_length())
    # A wavefront reads U back where FP has saved it; blocks of steps need the last step alone.
    read_back = plan.schedule.by_step and lp.state == "spill"
    if lp.carry == "dram" and layer.neuron is not None and not read_back:
        tensor = _tensor(plan, f"{name}.carry", layer.out_shape, 1, precision.membrane, group)
        lp.tensors["carry"] = tensor
    for key, (shape, bits) in wanted.items():
        lp.tensors[key] = _tensor(plan, f"{name}.{key}", shape, plan.steps, bits, group)
    if not lp.consumers:
        return
    if layer.neuron is None:
        _values(plan, lp)
        return
    lp.tensors["spikes"], lp.tensors["need"] = lp.tensors["S"], lp.tensors["m"]
    if layer.pool is not None:
        spikes = 1 if layer.pool.kind == "max" else (layer.pool.size**2).bit_length()
        shape = layer.pooled_shape
        lp.tensors["spikes"] = _tensor(plan, f"{name}.S_pooled", shape, plan.steps, spikes, group)
        lp.tensors["need"] = _tensor(plan, f"{name}.m_pooled", shape, plan.steps, 1, group)


def _values(plan: Plan, lp: LayerPlan) -> None:
    """What a layer without neurons leaves: values, and which one of a window each of them was."""
    name, pool, group = lp.layer.name, lp.layer.pool, _group(plan, lp.layer)
    values = _tensor(
        plan, f"{name}.A", lp.layer.pooled_shape, plan.steps, plan.chip.precision.input, group
    )
    lp.tensors["spikes"] = values
    if pool is None:
        lp.tensors["S"] = values
    elif pool.kind == "max":
        bits = (pool.size**2 - 1).bit_length()
        shape = lp.layer.pooled_shape
        lp.tensors["need"] = _tensor(plan, f"{name}.A_winner", shape, plan.steps, bits, group)


def _gradients(plan: Plan, lp: LayerPlan) -> None:
    """What BP leaves for layers before and for WG, where it does not fit the cores."""
    name, layer, bits = lp.layer.name, lp.layer, plan.chip.precision.gradient
    group = _group(plan, layer)
    if lp.exact and lp.currents == "dram":
        lp.tensors["dI"] = _tensor(plan, f"{name}.dI", layer.out_shape, plan.steps, bits, group)
    if lp.gradients == "dram":
        lp.tensors["dY"] = _tensor(plan, f"{name}.dY", layer.product_shape, plan.steps, bits, group)
    if any(one.arriving == "dram" for one in lp.producers):
        for k in range(lp.split.k):
            key = f"dX{k}"
            # What BP writes and the producers read: chunks of inputs, output tiles.
            pieces = gcd(plan.array.chunk, plan.array.tile)
            if layer.groups > 1:
                pieces = gcd(pieces, layer.weight_shape[1])
            tensor = _tensor(
                plan, f"{name}.{key}", layer.in_shape, plan.steps, partial_bits(plan, lp), pieces
            )
            lp.tensors[key] = tensor


def _weights(plan: Plan, lp: LayerPlan) -> None:
    precision = plan.chip.precision
    wanted = [("W", precision.weight)]
    if plan.workload.optimizer == "adam":
        wanted += [("moment1", precision.optimizer), ("moment2", precision.optimizer)]
    if lp.dw_spilled:
        wanted += [(f"dW.core{part.core:02d}", precision.partial_sum) for part in lp.slices]
    taps = lp.layer.kernel[0] * lp.layer.kernel[1]
    for key, bits in wanted:
        tensor = Weights(
            name=f"{lp.layer.name}.{key}",
            address=plan.addresses.top,
            outputs=lp.layer.out_shape[0],
            inputs=lp.layer.weight_shape[1],
            groups=lp.layer.groups,
            taps=taps,
            tile=plan.array.tile,
            chunk=plan.array.chunk,
            bits=bits,
        )
        plan.addresses.reserve(tensor.nbytes)
        plan.addresses.add(tensor)
        lp.weights[key] = tensor


def _group(plan: Plan, layer: Layer) -> int:
    """Channels that lie together: of grouped convolutions, no more than are made together."""
    tile = plan.array.tile
    return tile if layer.groups == 1 else gcd(tile, layer.out_shape[0] // layer.groups)


def _tensor(plan: Plan, name: str, shape: Shape3, steps: int, bits: int, group: int) -> Tensor:
    channels, rows, width = shape
    tensor = Tensor(
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
    plan.addresses.reserve(tensor.nbytes)
    plan.addresses.add(tensor)
    return tensor
