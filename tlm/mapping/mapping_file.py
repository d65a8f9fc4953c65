"""mapping.yaml: splits, loop nests, residency and addresses of a plan, for people and for tools."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from tlm.config.core import Engine
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import length
from tlm.mapping.residency import product_region
from tlm.mapping.rounds import forward_rounds
from tlm.task import Phase

OUTER = {
    "fp": ["round of outputs", "samples", "rows", "steps"],
    "bp": ["round of inputs", "samples", "input rows", "steps"],
    "wg": ["pass of output and input channels", "samples, rows"],
}
SUMS = {"fp": "output", "bp": "input", "wg": "output"}
OPERAND = {"fp": "input", "bp": "output", "wg": "input"}


def nest_of(engine: str, dataflow: str) -> list[str]:
    """The loops of an engine, from the outermost in; the last is what streams."""
    sums, operand = SUMS[engine], OPERAND[engine]
    inner = {
        "weight": [f"{sums} tile", f"{operand} chunk", "kernel tap", "position"],
        "output": [f"{sums} tile", "group of weights", "positions held",
                   f"{operand} chunk", "kernel tap", f"{operand} channel"],
        "input": [f"{sums} panel", f"{operand} chunk", "kernel tap", "part of the panel",
                  "positions held", f"{sums} channel"],
    }  # fmt: skip
    return OUTER[engine] + inner[dataflow]


def mapping_text(plan: Plan) -> str:
    """The plan as YAML; identical plans give identical text."""
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(_document(plan), out)
    return out.getvalue()


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "schema": "tlm-mapping",
        "schema_version": 1,
        "workload": plan.workload.name,
        "chip": plan.chip.name,
        "schedule": plan.chip.mapping.schedule,
        "array": {
            "chunk": plan.array.chunk,
            "tile": plan.array.tile,
            "positions_per_block": plan.array.positions,
        },
        "layers": [_layer(plan, lp) for lp in plan.layers],
        "dram": {
            "interleave_bytes": plan.chip.dram.interleave,
            "channels": plan.chip.dram.channels,
            "row_alignment_bytes": plan.addresses.alignment,
            "tensors": {
                name: {"address": tensor.address, "bytes": tensor.nbytes, "bits": tensor.bits}
                for name, tensor in plan.addresses.tensors.items()
            },
        },
    }


def _layer(plan: Plan, lp: LayerPlan) -> dict[str, Any]:
    return {
        "name": lp.layer.name,
        "reads": [one.layer.name for one in lp.producers] or ["the network's input"],
        "operand_bits": lp.operand_bits,
        "split": {"k": lp.split.k, "batch": lp.split.batch, "spatial": lp.split.spatial},
        "slices": [
            {
                "core": part.core,
                "channels": list(part.neurons.channels),
                "samples": list(part.neurons.samples),
                "rows": list(part.neurons.rows),
                "input_rows": list(part.input_rows),
            }
            for part in lp.slices
        ],
        "nest": {
            name: {"holds": engine.dataflow, "loops": nest_of(name, engine.dataflow)}
            for name, engine in _engines(plan, lp)
        },
        "residency": _residency(plan, lp),
        "skipped": {
            "reason": "the whole dY slice is zero",
            "phases": ["bp", "wg"] if lp.producers else ["wg"],
            "sample_step": [
                [b, t]
                for b in range(plan.workload.batch)
                for t in range(plan.steps)
                if not lp.live[t, b]
            ],
        },
    }


STATE = {
    "spill": "DRAM, written in FP, read in BP and WG",
    "keep": "half of the U memory, from FP to BP",
    "recompute": "U made again in BP; S and m in DRAM",
}


def _engines(plan: Plan, lp: LayerPlan) -> list[tuple[str, Engine]]:
    engines = plan.chip.core.engines
    found: list[tuple[str, Engine]] = [("fp", engines.fp), ("bp", engines.bp), ("wg", engines.wg)]
    return [(name, engine) for name, engine in found if name != "bp" or lp.producers]


def _residency(plan: Plan, lp: LayerPlan) -> dict[str, str]:
    spilled = "DRAM, read and written once a sample block"
    if lp.gradients == "dram":
        spilled = "accumulators, an output tile after the other; then DRAM"
    found = {
        "inputs": "spike memory, over the mesh" if lp.forward == "memory" else "DRAM",
        "weights": _weights(plan, lp),
        "dS": "memory of arriving gradients, over the mesh" if lp.arriving == "memory" else "DRAM",
        "dY": "gradient memory, shared by BP and WG"
        if lp.gradients == "memory"
        else "DRAM, written once, read by BP and by WG",
        "dW": spilled if lp.dw_spilled else "accumulators over all samples and steps",
        "U, S, m": STATE[lp.state] if lp.layer.neuron is not None else "none: a read-out",
    }
    if lp.norm is not None:
        found["batch normalisation"] = lp.norm
    if lp.exact:
        found["currents"] = "memory of batch normalisation" if lp.currents == "memory" else "DRAM"
    return found


def _weights(plan: Plan, lp: LayerPlan) -> str:
    """Where FP's weights of the largest slice stay, and how often it walks its blocks."""
    part = max(lp.slices, key=lp.weight_count)
    rounds = list(forward_rounds(plan, lp, part, product_region(lp, part), Phase.FP))
    if not rounds[0].staged:
        return "weight buffer, loaded once"
    outputs = length(rounds[0].outputs)
    bits = lp.weight_count(part) * plan.array.weight_bits * outputs
    missing = bits > rounds[0].room * length(part.neurons.channels)
    rest = "; what does not fit comes from DRAM once a block" if missing else ""
    return f"staged in the U memory, {len(rounds)} rounds of {outputs} channels{rest}"
