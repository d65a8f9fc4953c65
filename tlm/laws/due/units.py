"""How often a layer uses the units beside the arrays and their memories, counted from shapes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from tlm.laws.due.data import touched_rows
from tlm.program.builder import STATE_WIDTH
from tlm.program.gradient import LOSS_PASSES
from tlm.program.normalise import SUMS
from tlm.space.phase import Phase
from tlm.space.program import Program
from tlm.space.region import length
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.streams import MEMORY_WIDTH

Use = tuple[Phase, str, int]
ANY = -1  # accesses a tile may do beyond the least


def require_units(plan: Plan, layer_plan: LayerPlan, again: bool, program: Program) -> None:
    """Fill in the due uses of a layer; ``again`` says that FP makes its currents twice."""
    index = layer_plan.layer.index
    for phase, action, count in _operations(plan, layer_plan, again):
        program.expected_actions[phase, index, action] = count
    for phase, action, bits, width in _accesses(plan, layer_plan, again):
        # A tile rounds up once; S and m are two memories.
        spare = 2 if width == STATE_WIDTH else 1
        program.expected_accesses[phase, index, action] = (-(-bits // width), spare)
    adds = len(layer_plan.layer.sources) - 1 + (layer_plan.layer.input_pool is not None)
    if adds and layer_plan.feeds[0].steps > 1:
        program.expected_accesses[Phase.FP, index, "fp.input_add"] = (
            adds * _inputs(plan, layer_plan), ANY
        )  # fmt: skip


def require_loss_units(plan: Plan, program: Program) -> None:
    """Fill in the due uses of the loss: passes over T, exp, sum and divide for every class."""
    last = plan.layers[-1].layer
    passes = plan.steps + LOSS_PASSES
    count = passes * prod(last.pooled_shape) * plan.workload.batch
    program.expected_actions[Phase.LOSS, last.index, "bp.grad_op"] = count


def _operations(plan: Plan, layer_plan: LayerPlan, again: bool) -> Iterator[Use]:
    layer, optimizer = layer_plan.layer, plan.workload.optimizer
    pairs = plan.workload.batch * plan.steps
    outputs = prod(layer.out_shape) * pairs
    neurons = outputs if layer.neuron is not None else 0
    products, weights = prod(layer.product_shape) * pairs, prod(layer.weight_shape)
    arrived, replicas = (
        prod(layer.pooled_shape) * pairs,
        layer_plan.split.batch * layer_plan.split.spatial,
    )
    yield Phase.NORM if layer_plan.exact else Phase.FP, "fp.soma_op", neurons
    yield Phase.GRAD, "bp.grad_op", neurons
    yield Phase.GRAD, "bp.reduce_add", arrived * (layer_plan.partials - 1)
    yield Phase.GRAD, "bp.partial_read", arrived * layer_plan.partials
    yield Phase.UPDATE, f"wg.update_op_{optimizer}", weights
    yield Phase.UPDATE, "wg.reduce_add", weights * (replicas - 1)
    yield Phase.UPDATE, "wg.accumulator_read", weights
    if again:
        yield Phase.RECOMPUTE, "fp.soma_op", neurons
    if layer_plan.norm == "frozen":
        yield Phase.FP, "fp.norm_scale", products
        yield Phase.GRAD, "bp.norm_scale", products
        yield Phase.RECOMPUTE, "fp.norm_scale", products * again
    if layer.norm is None or not layer_plan.exact:
        return
    channels = layer.out_shape[0] * (plan.steps if layer.norm.per_step else 1)
    yield Phase.FP, "fp.norm_stat", products
    yield Phase.NORM, "fp.norm_op", products
    yield Phase.GRAD, "bp.norm_stat", outputs
    yield Phase.NORM_GRAD, "bp.norm_op", products
    for phase, engine in ((Phase.NORM, "fp"), (Phase.NORM_GRAD, "bp")):
        yield phase, f"{engine}.norm_channel", channels
        yield phase, f"{engine}.norm_add", SUMS * channels * (replicas - 1)


def _accesses(
    plan: Plan, layer_plan: LayerPlan, again: bool
) -> Iterator[tuple[Phase, str, int, int]]:
    """(phase, action, bits that pass a port, width of the port)."""
    layer, precision, wide = layer_plan.layer, plan.chip.precision, MEMORY_WIDTH
    pairs = plan.workload.batch * plan.steps
    outputs, products = prod(layer.out_shape) * pairs, prod(layer.product_shape) * pairs
    if layer.neuron is not None:
        bits = outputs * precision.membrane
        for phase in (Phase.NORM if layer_plan.exact else Phase.FP, *[Phase.RECOMPUTE] * again):
            yield phase, "fp.membrane_read", bits, wide
            yield phase, "fp.membrane_write", bits, wide
            yield phase, "fp.state_write", 2 * outputs, STATE_WIDTH
        yield Phase.GRAD, "bp.membrane_read", bits, wide
        yield Phase.GRAD, "bp.state_read", 2 * outputs, STATE_WIDTH
    made = Phase.NORM_GRAD if layer_plan.exact else Phase.GRAD
    yield made, "bp.gradient_write", products * precision.gradient, wide
    if layer_plan.exact:
        yield Phase.FP, "fp.norm_write", products * precision.membrane, wide
        yield Phase.NORM, "fp.norm_read", products * precision.membrane, wide
        yield Phase.GRAD, "bp.norm_write", outputs * precision.gradient, wide
    moments = 2 * precision.optimizer if plan.workload.optimizer == "adam" else 0
    bits = prod(layer.weight_shape) * (precision.weight + moments)
    yield Phase.UPDATE, "wg.optimizer_read", bits, wide
    yield Phase.UPDATE, "wg.optimizer_write", bits, wide


def _inputs(plan: Plan, layer_plan: LayerPlan) -> int:
    """Elements of a source that the slices read in FP, each once."""
    source, height = layer_plan.feeds[0], layer_plan.feeds[0].rows
    rows = sum(
        len(touched_rows(layer_plan, part, height)) * length(part.neurons.samples)
        for part in layer_plan.slices
    )
    return rows * source.width * source.channels * plan.steps
