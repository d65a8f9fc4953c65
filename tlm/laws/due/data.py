"""What the data of a layer must do: weights fetched, tensors stored, who sends to whom.

Counted from shapes, cuts and owners, without tiles; the invariants hold the programs against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np

from tlm.program.soma import loss_core
from tlm.space.region import Slice, length
from tlm.space.task import Program, Stored, WeightsDue
from tlm.storage.plan import LayerPlan, Plan
from tlm.workload.model import Layer, Pool

Rows = set[int]


def require_data(plan: Plan, program: Program) -> None:
    """Fill in what the data of all layers must do."""
    for lp in plan.layers:
        for part in lp.slices:
            index, core = lp.layer.index, part.core
            program.expected_weights[core, "fp", index] = _weights(plan, lp, part, "fp")
            if lp.producers and length(part.input_rows):
                program.expected_weights[core, "bp", index] = _weights(plan, lp, part, "bp")
        for part in lp.slices:
            for sample in range(*part.neurons.samples):
                where = f"{lp.layer.name} core{part.core:02d} sample {sample}"
                for what, cores in _senders(plan, lp, part, sample):
                    program.expected_senders[f"{what} {where}"] = frozenset(cores)
    program.stored = sorted(_stored(plan), key=lambda one: one.at)


def _weights(plan: Plan, lp: LayerPlan, part: Slice, engine: str) -> WeightsDue:
    """All weights of a slice; of BP on the compacted grid those whose tap meets an output."""
    layer, memory = lp.layer, plan.chip.core.memory
    count, channels = lp.weight_count(part), length(part.neurons.channels)
    elements = channels * _product_rows(lp, part) * lp.width
    if engine == "bp":
        inputs, _, width = layer.in_shape
        elements = inputs * length(part.input_rows) * width * channels // layer.groups
        if plan.chip.core.engines.bp.grid == "compacted":
            count = count // prod(layer.kernel) * _taps_met(layer, part)
    tensor, bits = lp.weights["W"], plan.chip.precision.weight
    room = (memory.weights + memory.membrane) // 8
    at, nbytes = (tensor.address, tensor.nbytes), count * bits // 8
    return WeightsDue(at, nbytes, elements, room, bits % 8 > 0)


def _taps_met(layer: Layer, part: Slice) -> int:
    """Kernel taps that bring any output to any of a slice's input positions."""
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    high = {(y + py) % sy for y in range(*part.input_rows)}
    wide = {(x + px) % sx for x in range(layer.in_shape[2])}
    return sum(t % sy in high for t in range(r)) * sum(t % sx in wide for t in range(s))


def _product_rows(lp: LayerPlan, part: Slice) -> int:
    whole = lp.layer.current_pool is not None
    return lp.layer.product_shape[1] if whole else length(part.neurons.rows)


def _senders(
    plan: Plan, lp: LayerPlan, part: Slice, sample: int
) -> Iterator[tuple[str, Iterable[int]]]:
    """Completions of a slice and a sample that data arrive at over the mesh, and from which cores.

    FP input comes from the owners of the rows under the kernel, dU from those that make the rows
    over it, dS from all that read one of the slice's rows.
    """
    if lp.producers and lp.forward == "memory":
        rows = touched_rows(lp, part, lp.producers[0].layer.pooled_shape[1])
        first, last = min(rows, default=0), max(rows, default=-1)  # rows between come with them
        owners = {
            one.slices[index].core
            for one in lp.producers
            for index in np.unique(one.owner[sample][:, first : last + 1]).tolist()
        }
        steps = range(plan.steps) if plan.schedule.by_step else ()
        for what in [f"FP input step {t}" for t in steps] or ["FP input"]:
            yield what, owners
    if lp.producers and lp.gradients == "memory" and length(part.input_rows):
        yield "dU", {one.core for one in lp.replicas(part) if _makes(lp, one, part, sample)}
    if not lp.consumers:
        yield "dS", {loss_core(lp, sample)}
    elif lp.arriving == "memory":
        owned = np.flatnonzero((lp.owner[sample] == part.index).any(axis=0)).tolist()
        yield (
            "dS",
            {
                reader.core
                for after in lp.consumers
                for reader in after.slices
                if _holds(reader, sample) and _returns(after, reader, set(owned), lp)
            },
        )


def touched_rows(lp: LayerPlan, part: Slice, height: int) -> Rows:
    """Rows of the sources, ``height`` in all, that FP of a slice needs."""
    if lp.layer.kind == "linear":
        return set(range(height))
    whole = lp.layer.current_pool is not None
    made = range(lp.layer.product_shape[1]) if whole else range(*part.neurons.rows)
    return _pooled_from(lp.layer.input_pool, _under(lp.layer, made), height)


def _holds(part: Slice, sample: int) -> bool:
    return part.neurons.samples[0] <= sample < part.neurons.samples[1]


def _makes(lp: LayerPlan, maker: Slice, part: Slice, sample: int) -> bool:
    """Whether a replica makes dY of a sample that BP of another one's input rows needs."""
    layer, whole = lp.layer, lp.layer.current_pool is not None
    made = range(layer.product_shape[1]) if whole else range(*maker.neurons.rows)
    reached = {y for y in made if _under(layer, (y,)) & set(range(*part.input_rows))}
    return _holds(maker, sample) and bool(reached)


def _returns(after: LayerPlan, reader: Slice, owned: Rows, lp: LayerPlan) -> bool:
    """Whether a slice of a later layer computes dX of any of the ``owned`` rows."""
    pool, (_, height, _) = after.layer.input_pool, lp.layer.pooled_shape
    rows = set(range(*reader.input_rows))
    if after.layer.kind == "linear" and rows:
        rows = set(range(height if pool is None else pool.pooled(lp.layer.pooled_shape)[1]))
    return bool(_pooled_from(pool, rows, height) & owned)


def _under(layer: Layer, rows: Iterable[int]) -> Rows:
    """Input rows under the kernel at some rows of the product."""
    stride, pad, kernel = layer.stride[0], layer.padding[0], layer.kernel[0]
    found = {y * stride - pad + tap for y in rows for tap in range(kernel)}
    return found & set(range(layer.in_shape[1]))


def _pooled_from(pool: Pool | None, rows: Rows, height: int) -> Rows:
    """Rows of the sources, ``height`` in all, that some input rows are pooled from."""
    if pool is None:
        return rows
    found = {y * pool.stride - pool.padding + at for y in rows for at in range(pool.size)}
    return found & set(range(height))


def _stored(plan: Plan) -> Iterator[Stored]:
    """All tensors, with the bytes of them that are moved at least."""
    due: dict[str, Stored] = {}
    for lp in plan.layers:
        live = np.count_nonzero(lp.live) / lp.live.size
        for key, tensor in lp.tensors.items():
            part = live if key.startswith(("dY", "dX")) else 1
            written, read = (round(tensor.nbytes * part * times) for times in _moved(lp, key))
            at, carried = (tensor.address, tensor.nbytes), key == "carry"
            found = Stored(tensor.name, at, False, written, read, not carried, carried)
            due.setdefault(tensor.name, found)
        for key, weights in lp.weights.items():
            at, given = (weights.address, weights.nbytes), not key.startswith("dW")
            whole = weights.bits % 8 == 0  # others are rounded to bytes piece by piece
            once, through = given and whole, not given and whole
            moved = weights.nbytes * once
            due[weights.name] = Stored(weights.name, at, given, moved, moved, once, through)
    for name, one in plan.addresses.tensors.items():
        yield due.get(name) or Stored(name, (one.address, one.nbytes), given=True)


def _moved(lp: LayerPlan, key: str) -> tuple[int, int]:
    """How often all of a tensor is written and at least read.

    The gradient unit reads what FP saves, unless it stays in the core. Values of a read-out that
    was not pooled are told apart by nothing, so nothing but later layers reads them.
    """
    if key == "carry":
        return 0, 0
    if key == "Y":
        return 1, 2 + (lp.state == "recompute")
    if key in ("U", "S", "m", "winner") and lp.layer.neuron is not None:
        return 1, int(lp.state != "keep")
    if key == "need" and lp.layer.neuron is None:
        return 1, 1
    return 1, int(key in ("dI", "dY") or key.startswith("dX"))
