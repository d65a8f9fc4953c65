"""What the data of a layer must do: weights fetched, tensors stored, who sends to whom.

Counted from shapes, cuts and owners, without tiles; the invariants hold the programs against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np

from tlm.program.soma import loss_core
from tlm.space.program import Program, Stored, WeightsDue
from tlm.space.region import Slice, length
from tlm.storage.plan import LayerPlan, Plan
from tlm.workload.model import Layer, Pool

RowSet = set[int]


def require_data(plan: Plan, program: Program) -> None:
    """Fill in what the data of all layers must do."""
    for layer_plan in plan.layers:
        for part in layer_plan.slices:
            index, core = layer_plan.layer.index, part.core
            program.expected_weights[core, "fp", index] = _weights(plan, layer_plan, part, "fp")
            if layer_plan.producers and length(part.input_rows):
                program.expected_weights[core, "bp", index] = _weights(plan, layer_plan, part, "bp")
        for part in layer_plan.slices:
            for sample in range(*part.neurons.samples):
                where = f"{layer_plan.layer.name} core{part.core:02d} sample {sample}"
                for what, cores in _senders(plan, layer_plan, part, sample):
                    program.expected_senders[f"{what} {where}"] = frozenset(cores)
    program.stored = sorted(_stored(plan), key=lambda one: one.at)


def _weights(plan: Plan, layer_plan: LayerPlan, part: Slice, engine: str) -> WeightsDue:
    """All weights of a slice; of BP on the compacted grid those whose tap meets an output."""
    layer, memory = layer_plan.layer, plan.chip.core.memory
    count, channels = layer_plan.weight_count(part), length(part.neurons.channels)
    elements = channels * _product_rows(layer_plan, part) * layer_plan.width
    if engine == "bp":
        inputs, _, width = layer.in_shape
        elements = inputs * length(part.input_rows) * width * channels // layer.groups
        if plan.chip.core.engines.bp.grid == "compacted":
            count = count // prod(layer.kernel) * _taps_met(layer, part)
    tensor, bits = layer_plan.weights["W"], plan.chip.precision.weight
    room = (memory.weights + memory.membrane) // 8
    at, nbytes = (tensor.address, tensor.nbytes), count * bits // 8
    return WeightsDue(at, nbytes, elements, room, bits % 8 > 0)


def _taps_met(layer: Layer, part: Slice) -> int:
    """Kernel taps that bring any output to any of a slice's input positions."""
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    high = {(y + py) % sy for y in range(*part.input_rows)}
    wide = {(x + px) % sx for x in range(layer.in_shape[2])}
    return sum(t % sy in high for t in range(r)) * sum(t % sx in wide for t in range(s))


def _product_rows(layer_plan: LayerPlan, part: Slice) -> int:
    whole = layer_plan.layer.current_pool is not None
    return layer_plan.layer.product_shape[1] if whole else length(part.neurons.rows)


def _senders(
    plan: Plan, layer_plan: LayerPlan, part: Slice, sample: int
) -> Iterator[tuple[str, Iterable[int]]]:
    """Completions of a slice and a sample that data arrive at over the mesh, and from which cores.

    FP input comes from the owners of the rows under the kernel, dU from those that make the rows
    over it, dS from all that read one of the slice's rows.
    """
    if layer_plan.producers and layer_plan.forward == "memory":
        rows = touched_rows(layer_plan, part, layer_plan.producers[0].layer.pooled_shape[1])
        first, last = min(rows, default=0), max(rows, default=-1)  # rows between come with them
        owners = {
            one.slices[index].core
            for one in layer_plan.producers
            for index in np.unique(one.owner[sample][:, first : last + 1]).tolist()
        }
        steps = range(plan.steps) if plan.schedule.by_step else ()
        for what in [f"FP input step {t}" for t in steps] or ["FP input"]:
            yield what, owners
    if layer_plan.producers and layer_plan.gradients == "memory" and length(part.input_rows):
        yield (
            "dU",
            {
                one.core
                for one in layer_plan.replicas(part)
                if _makes(layer_plan, one, part, sample)
            },
        )
    if not layer_plan.consumers:
        yield "dS", {loss_core(layer_plan, sample)}
    elif layer_plan.arriving == "memory":
        owned = np.flatnonzero((layer_plan.owner[sample] == part.index).any(axis=0)).tolist()
        yield (
            "dS",
            {
                reader.core
                for after in layer_plan.consumers
                for reader in after.slices
                if _holds(reader, sample) and _returns(after, reader, set(owned), layer_plan)
            },
        )


def touched_rows(layer_plan: LayerPlan, part: Slice, height: int) -> RowSet:
    """Rows of the sources, ``height`` in all, that FP of a slice needs."""
    if layer_plan.layer.kind == "linear":
        return set(range(height))
    whole = layer_plan.layer.current_pool is not None
    made = range(layer_plan.layer.product_shape[1]) if whole else range(*part.neurons.rows)
    return _pooled_from(layer_plan.layer.input_pool, _under(layer_plan.layer, made), height)


def _holds(part: Slice, sample: int) -> bool:
    return part.neurons.samples[0] <= sample < part.neurons.samples[1]


def _makes(layer_plan: LayerPlan, maker: Slice, part: Slice, sample: int) -> bool:
    """Whether a replica makes dY of a sample that BP of another one's input rows needs."""
    layer, whole = layer_plan.layer, layer_plan.layer.current_pool is not None
    made = range(layer.product_shape[1]) if whole else range(*maker.neurons.rows)
    reached = {y for y in made if _under(layer, (y,)) & set(range(*part.input_rows))}
    return _holds(maker, sample) and bool(reached)


def _returns(after: LayerPlan, reader: Slice, owned: RowSet, layer_plan: LayerPlan) -> bool:
    """Whether a slice of a later layer computes dX of any of the ``owned`` rows."""
    pool, (_, height, _) = after.layer.input_pool, layer_plan.layer.pooled_shape
    rows = set(range(*reader.input_rows))
    if after.layer.kind == "linear" and rows:
        rows = set(range(height if pool is None else pool.pooled(layer_plan.layer.pooled_shape)[1]))
    return bool(_pooled_from(pool, rows, height) & owned)


def _under(layer: Layer, rows: Iterable[int]) -> RowSet:
    """Input rows under the kernel at some rows of the product."""
    stride, pad, kernel = layer.stride[0], layer.padding[0], layer.kernel[0]
    found = {y * stride - pad + tap for y in rows for tap in range(kernel)}
    return found & set(range(layer.in_shape[1]))


def _pooled_from(pool: Pool | None, rows: RowSet, height: int) -> RowSet:
    """Rows of the sources, ``height`` in all, that some input rows are pooled from."""
    if pool is None:
        return rows
    found = {y * pool.stride - pool.padding + at for y in rows for at in range(pool.size)}
    return found & set(range(height))


def _stored(plan: Plan) -> Iterator[Stored]:
    """All tensors, with the bytes of them that are moved at least."""
    due: dict[str, Stored] = {}
    for layer_plan in plan.layers:
        live = np.count_nonzero(layer_plan.live) / layer_plan.live.size
        for key, tensor in layer_plan.tensors.items():
            part = live if key.startswith(("dY", "dX")) else 1
            written, read = (
                round(tensor.nbytes * part * times) for times in _moved(layer_plan, key)
            )
            at, carried = (tensor.address, tensor.nbytes), key == "carry"
            found = Stored(tensor.name, at, False, written, read, not carried, carried)
            due.setdefault(tensor.name, found)
        for key, weights in layer_plan.weights.items():
            at, given = (weights.address, weights.nbytes), not key.startswith("dW")
            whole = weights.bits % 8 == 0  # others are rounded to bytes piece by piece
            once, through = given and whole, not given and whole
            moved = weights.nbytes * once
            due[weights.name] = Stored(weights.name, at, given, moved, moved, once, through)
    for name, one in plan.addresses.tensors.items():
        yield due.get(name) or Stored(name, (one.address, one.nbytes), given=True)


def _moved(layer_plan: LayerPlan, key: str) -> tuple[int, int]:
    """How often all of a tensor is written and at least read.

    The gradient unit reads what FP saves, unless it stays in the core. Values of a read-out that
    was not pooled are told apart by nothing, so nothing but later layers reads them.
    """
    if key == "carry":
        return 0, 0
    if key == "Y":
        return 1, 2 + (layer_plan.state == "recompute")
    if key in ("U", "S", "m", "winner") and layer_plan.layer.neuron is not None:
        return 1, int(layer_plan.state != "keep")
    if key == "need" and layer_plan.layer.neuron is None:
        return 1, 1
    return 1, int(key in ("dI", "dY") or key.startswith("dX"))
