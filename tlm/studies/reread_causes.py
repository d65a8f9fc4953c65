"""Why a tensor is read more than once: by several cores, or by one core in turn."""

from __future__ import annotations

from tlm.config.units import show_bits
from tlm.space.phase import Phase
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import product_region
from tlm.storage.sweeps import backward_sweeps, forward_sweeps

INPUTS = ("S", "A", "X")  # what FP and WG read of a layer's sources


def causes_over_cores(
    layer_plan: LayerPlan, tensor: str, phase: Phase, times: float
) -> tuple[str, ...]:
    """Why ``times`` cores, on average, fetch a byte of a tensor."""
    split = layer_plan.cut.split
    copies = split.batch * split.spatial
    if tensor == "W":
        return (f"samples and rows are cut in {copies}: so many cores fetch the same weights",)
    reasons = []
    shared = 1
    if tensor in (*INPUTS, "m") and phase != Phase.GRAD and split.k > 1:
        shared = split.k
        reasons.append(f"output channels are cut in {split.k}: so many cores read the same inputs")
    if split.spatial > 1 and times > shared:
        reasons.append(f"rows are cut in {split.spatial}: windows reach over the cuts")
    if not reasons:
        reasons.append("channels are read in whole groups, and cuts lie within them")
    return tuple(reasons)


def cause_over_time(plan: Plan, layer_plan: LayerPlan, tensor: str, phase: Phase) -> str:
    """Why a core fetches a byte of a tensor several times."""
    weights = max(layer_plan.weight_words("fp", part) for part in layer_plan.cut.slices)
    W = f"W of a core, {show_bits(weights * plan.arrays.weight_bits)}"
    if tensor == "W":
        return f"{W}, does not fit beside U: it comes again for every block of positions"
    sums = show_bits(weights * plan.chip.precision.partial_sum)
    exceeds = f"dW of a core, {sums}, exceeds core.memory.accumulators"
    if tensor == "dW":
        return f"{exceeds}: partial sums come and go"
    if phase == Phase.WG:
        if layer_plan.stored.dW == "dram":
            return f"{exceeds}: WG passes over its operands for every part of dW"
        return "few rows fit core.memory.spikes: WG passes over its operands in parts"
    if tensor == "U":
        return (
            "U of a row does not fit core.memory.membrane: it comes and goes with blocks of steps"
        )
    if phase == Phase.GRAD:
        return "windows of a pool reach over the blocks of the gradient unit"
    walks = _walks(plan, layer_plan, phase)
    if walks > 1:
        return f"{W}, does not fit beside U: outputs are walked in {walks} parts, each over all"
    buffer = "gradients" if tensor.startswith("d") else "spikes"
    return f"rows of all steps do not fit core.memory.{buffer}: blocks read them again"


def _walks(plan: Plan, layer_plan: LayerPlan, phase: Phase) -> int:
    """In how many parts the first slice walks its outputs."""
    part = layer_plan.cut.slices[0]
    if phase == Phase.BP:
        return sum(1 for _ in backward_sweeps(plan, layer_plan, part, part.neurons.samples))
    if phase in (Phase.FP, Phase.RECOMPUTE):
        region = product_region(layer_plan, part)
        return sum(1 for _ in forward_sweeps(plan, layer_plan, part, region, phase))
    return 1
