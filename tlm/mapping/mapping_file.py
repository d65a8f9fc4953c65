"""mapping.yaml: what was chosen, why, and what follows: for people, for tools, to be read back.

A run with ``--mapping`` reads back ``mapping`` and ``layers`` (``choices.py``); ``chosen``
explains, ``derived`` holds loop nests, residency, skipped slices and addresses.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from tlm.mapping.choices import SCHEMA, VERSION
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.search import Candidate

FP_NEST = ["samples", "rows", "steps", "output tile", "input chunk", "kernel tap", "position"]
BP_NEST = ["samples", "input rows", "steps", "input chunk", "output tile", "kernel tap", "position"]
WG_NEST = ["samples", "output tile", "input chunk", "kernel tap", "step", "position"]


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
    """What can be edited and read back, then why it was chosen and what follows from it."""
    cores = {part.core for lp in plan.layers for part in lp.slices}
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "workload": plan.workload.name,
        "chip": plan.chip.name,
        "mapping": plan.chip.mapping.model_dump(),
        "layers": [_choice(lp) for lp in plan.layers],
        "chosen": _chosen(plan),
        "derived": {
            "idle_cores": [core for core in range(plan.chip.cores) if core not in cores],
            "groups_of_samples": [[list(span) for span in g] for g in plan.schedule.groups],
            "array": {
                "chunk": plan.array.chunk,
                "tile": plan.array.tile,
                "positions_per_block": plan.array.positions,
            },
            "layers": [_layer(plan, lp) for lp in plan.layers],
            "dram": _dram(plan),
        },
    }


def _choice(lp: LayerPlan) -> dict[str, Any]:
    grid = lp.grid
    return {
        "name": lp.layer.name,
        "cuts": {
            "channels": list(grid.channels),
            "samples": list(grid.samples),
            "rows": list(grid.rows),
            "input_rows": list(grid.input_rows),
        },
        "cores": list(grid.cores),
    }


def _chosen(plan: Plan) -> dict[str, Any]:
    """Why these cuts: how many mappings were compared, by what, and what the next best was."""
    if plan.chosen is None:
        return {"by": "mapping file"}
    found = {
        "by": plan.chosen.best.origin,
        "objective": plan.chosen.objective,
        "compared": plan.chosen.tried,
        "estimate": _estimate(plan.chosen.best),
    }
    if plan.chosen.runner_up is not None:
        found["runner_up"] = {
            "by": plan.chosen.runner_up.origin,
            "estimate": _estimate(plan.chosen.runner_up),
            "differs_in": [
                lp.layer.name
                for lp, grid in zip(plan.layers, plan.chosen.runner_up.grids, strict=True)
                if lp.grid != grid
            ],
        }
    return found


def _estimate(candidate: Candidate) -> dict[str, Any]:
    cost = candidate.estimate
    return {
        "time_ps": cost.time_ps,
        "energy_pj": round(cost.energy_pj),
        "dram_bytes": cost.dram_bytes,
        "hop_bytes": cost.hop_bytes,
    }


def _dram(plan: Plan) -> dict[str, Any]:
    return {
        "interleave_bytes": plan.chip.dram.interleave,
        "channels": plan.chip.dram.channels,
        "row_alignment_bytes": plan.addresses.alignment,
        "tensors": {
            name: {"address": tensor.address, "bytes": tensor.nbytes, "bits": tensor.bits}
            for name, tensor in plan.addresses.tensors.items()
        },
    }


def _layer(plan: Plan, lp: LayerPlan) -> dict[str, Any]:
    return {
        "name": lp.layer.name,
        "reads": [one.layer.name for one in lp.producers] or ["the network's input"],
        "operand_bits": lp.operand_bits,
        "split": {"k": lp.split.k, "batch": lp.split.batch, "spatial": lp.split.spatial},
        "nest": {
            "fp": list(FP_NEST),  # copies: the same list twice would be an alias in YAML
            **({"bp": list(BP_NEST)} if lp.producers else {}),
            "wg": list(WG_NEST),
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


def _residency(plan: Plan, lp: LayerPlan) -> dict[str, str]:
    spilled = "DRAM, read and written once a sample block"
    if lp.gradients == "dram":
        spilled = "accumulators, an output tile after the other; then DRAM"
    found = {
        "inputs": "spike memory, over the mesh" if lp.forward == "memory" else "DRAM",
        "weights": "weight buffer, loaded once"
        if all(plan.weights_stay(lp, part) for part in lp.slices)
        else "streamed once a block",
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
