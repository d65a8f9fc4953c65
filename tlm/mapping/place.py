"""Placing: gives every tensor of a plan its address in DRAM."""

from __future__ import annotations

from tlm.errors import MappingError
from tlm.mapping.address import Tensor, Weights
from tlm.mapping.plan import LayerPlan, Plan


def place(plan: Plan) -> None:
    """Give every tensor its address; raise MappingError if DRAM is too small."""
    first = plan.workload.layers[0]
    direct = plan.workload.encoding == "direct"
    bits = plan.chip.precision.input if first.input_kind == "analog" else 1
    source = _tensor(plan, "X", first.in_shape, 1 if direct else plan.steps, bits)
    for lp in plan.layers:
        name, steps = lp.layer.name, plan.steps
        lp.tensors["input"] = source
        lp.tensors["U"] = _tensor(
            plan, f"{name}.U", lp.layer.out_shape, steps, plan.chip.precision.membrane
        )
        lp.tensors["S"] = _tensor(plan, f"{name}.S", lp.layer.out_shape, steps, 1)
        lp.tensors["m"] = _tensor(plan, f"{name}.m", lp.layer.out_shape, steps, 1)
        lp.tensors["spikes"], lp.tensors["need"] = lp.tensors["S"], lp.tensors["m"]
        if lp.layer.pool is not None:
            shape = lp.layer.pooled_shape
            lp.tensors["spikes"] = _tensor(plan, f"{name}.S_pooled", shape, steps, 1)
            lp.tensors["need"] = _tensor(plan, f"{name}.m_pooled", shape, steps, 1)
        _weights(plan, lp)
        source = lp.tensors["spikes"]
    if plan.addresses.top > plan.addresses.capacity:
        raise MappingError(
            f"the job needs {plan.addresses.top} B of DRAM, the chip has "
            f"{plan.addresses.capacity} B; use more channels or a larger device"
        )


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
            inputs=lp.layer.in_shape[0],
            taps=taps,
            tile=plan.array.tile,
            chunk=plan.array.chunk,
            bits=bits,
        )
        plan.addresses.reserve(tensor.nbytes)
        plan.addresses.add(tensor)
        lp.weights[key] = tensor


def _tensor(plan: Plan, name: str, shape: tuple[int, int, int], steps: int, bits: int) -> Tensor:
    channels, rows, width = shape
    tensor = Tensor(
        name=name,
        address=plan.addresses.top,
        channels=channels,
        group=plan.array.tile,
        samples=plan.workload.batch,
        steps=steps,
        rows=rows,
        width=width,
        bits=bits,
    )
    plan.addresses.reserve(tensor.nbytes)
    plan.addresses.add(tensor)
    return tensor
