"""mapping.yaml: what was chosen, why, and what follows: for people, for tools, to be read back.

A run with ``--mapping`` reads back ``mapping`` and ``layers`` (``choices.py``); ``chosen``
explains, ``derived`` holds loop nests, residency, skipped slices and addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlm.config.chip import ChipConfig
from tlm.config.core import EngineConfig
from tlm.config.yaml_text import document_text
from tlm.placement.choices import SCHEMA, VERSION
from tlm.placement.estimate import MappingEstimate
from tlm.placement.search import Chosen
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores
from tlm.space.phase import Phase
from tlm.space.region import length
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import product_region
from tlm.storage.sweeps import forward_sweeps
from tlm.workload.model import Layer, Workload

OUTER = {
    "fp": ["round of outputs", "samples", "rows", "steps"],
    "bp": ["round of inputs", "samples", "input rows", "steps"],
    "wg": ["pass of output and input channels", "samples, rows"],
}
SUMS = {"fp": "output", "bp": "input", "wg": "output"}
OPERAND = {"fp": "input", "bp": "output", "wg": "input"}


def array_of_case(engine: str, dataflow: str) -> list[str]:
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
    return document_text(_document(plan))


def choice_text(
    workload: Workload, chip: ChipConfig, grids: Sequence[Grid], reasons: Mapping[str, object]
) -> str:
    """Grids for a job on a chip: what ``run --mapping`` reads, and the ``reasons`` for these."""
    return document_text({**_choices(workload, chip, grids), "chosen": {**reasons}})


def _document(plan: Plan) -> dict[str, Any]:
    """What can be edited and read back, then why it was chosen and what follows from it."""
    cores = {part.core for layer_plan in plan.layers for part in layer_plan.cut.slices}
    return {
        **_choices(plan.workload, plan.chip, plan.grids),
        "chosen": _chosen(plan, plan.chosen),
        "derived": {
            "idle_cores": [core for core in range(plan.chip.cores) if core not in cores],
            "groups_of_samples": [[list(span) for span in g] for g in plan.schedule.groups],
            "array": {
                "chunk": plan.arrays.chunk,
                "tile": plan.arrays.tile,
                "positions_per_block": plan.arrays.positions,
            },
            "layers": [_layer(plan, layer_plan) for layer_plan in plan.layers],
            "dram": _dram(plan),
        },
    }


def _choices(workload: Workload, chip: ChipConfig, grids: Sequence[Grid]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "workload": workload.name,
        "chip": chip.name,
        "mapping": chip.mapping.model_dump(),
        "layers": [
            _choice(layer, grid) for layer, grid in zip(workload.layers, grids, strict=True)
        ],
    }


def _choice(layer: Layer, grid: Grid) -> dict[str, Any]:
    return {
        "name": layer.name,
        "cuts": {
            "channels": list(grid.channels),
            "samples": list(grid.samples),
            "rows": list(grid.rows),
            "input_rows": list(grid.input_rows),
        },
        "cores": list(grid.cores),
    }


def _chosen(plan: Plan, chosen: Chosen | None) -> dict[str, Any]:
    """Why these cuts: how many mappings were compared, by what, and what the next best was."""
    if chosen is None:
        return {"by": "mapping file"}
    best = chosen.best
    reasons = {
        "by": best.origin,
        "objective": chosen.objective,
        "compared": chosen.tried,
        "estimate": estimate_figures(best.estimate),
    }
    for other in chosen.ranked[1:2]:
        reasons["runner_up"] = {
            "by": other.origin,
            "estimate": estimate_figures(other.estimate),
            "differs_in": [
                layer_plan.layer.name
                for layer_plan, mine, grid in zip(plan.layers, best.grids, other.grids, strict=True)
                if mine != grid
            ],
        }
    return reasons


def estimate_figures(cost: MappingEstimate) -> dict[str, int]:
    """An estimate as it stands in the file."""
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
            name: {"address": tensor.address, "bytes": tensor.nbytes, "bits": int(tensor.bits)}
            for name, tensor in plan.addresses.tensors.items()
        },
    }


def _layer(plan: Plan, layer_plan: LayerPlan) -> dict[str, Any]:
    return {
        "name": layer_plan.layer.name,
        "reads": _read_layers(plan, layer_plan.layer) or ["the network's input"],
        "operand_bits": int(layer_plan.operand_bits),
        "split": {
            "k": layer_plan.cut.split.k,
            "batch": layer_plan.cut.split.batch,
            "spatial": layer_plan.cut.split.spatial,
        },
        "nest": {
            name: {"holds": engine.dataflow, "loops": array_of_case(name, engine.dataflow)}
            for name, engine in _engines(plan, layer_plan)
        },
        "residency": _residency(plan, layer_plan),
        **_stored(layer_plan),
        **(_skipped(plan, layer_plan) if plan.workload.learns else {}),
    }


def _skipped(plan: Plan, layer_plan: LayerPlan) -> dict[str, Any]:
    """The slices of which BP and WG walk nothing."""
    return {
        "skipped": {
            "reason": "the whole dY slice is zero",
            "phases": ["bp", "wg"] if layer_plan.producers else ["wg"],
            "sample_step": [
                [b, t]
                for b in range(plan.workload.batch)
                for t in range(plan.steps)
                if not layer_plan.live[t, b]
            ],
        },
    }


def _stored(layer_plan: LayerPlan) -> dict[str, Any]:
    """How many weights are stored, and the words of their tables; nothing if every one is."""
    packed = layer_plan.weights.packed
    if packed is None:
        return {}
    words = {"weights": packed.values, "index": packed.index}
    words |= {} if packed.reverse is None else {"reverse": packed.reverse}
    return {"stored_words": {name: int(tiles.sum()) for name, tiles in words.items()}}


STATE = {
    "spill": "DRAM, written in FP, read in BP and WG",
    "keep": "the core, from FP to BP",
    "recompute": "made again in BP",
    "dropped": "the core, from a step to the next",
}
CURRENT_GRADIENTS = {
    "memory": "memory of batch normalisation",
    "recompute": "made again of dS",
    "dram": "DRAM",
}


def _engines(plan: Plan, layer_plan: LayerPlan) -> list[tuple[str, EngineConfig]]:
    engines = plan.chip.core.engines
    named: list[tuple[str, EngineConfig]] = [
        ("fp", engines.fp),
        ("bp", engines.bp),
        ("wg", engines.wg),
    ]
    if not plan.workload.learns:
        return named[:1]
    return [(name, engine) for name, engine in named if name != "bp" or layer_plan.producers]


def _residency(plan: Plan, layer_plan: LayerPlan) -> dict[str, str]:
    spilled = "DRAM, read and written once a sample block"
    if layer_plan.stored.dY == "dram":
        spilled = "accumulators, an output tile after the other; then DRAM"
    places = {
        "inputs": "spike memory, over the mesh" if layer_plan.stored.inputs == "memory" else "DRAM",
        "weights": _weights(plan, layer_plan),
        "moments": "the core, from one mini-batch to the next"
        if layer_plan.stored.moments == "memory"
        else "DRAM",
        "dS": "memory of arriving gradients, over the mesh"
        if layer_plan.stored.dS == "memory"
        else "DRAM",
        "dY": "gradient memory, shared by BP and WG"
        if layer_plan.stored.dY == "memory"
        else "DRAM, written once, read by BP and by WG",
        "dW": spilled
        if (layer_plan.stored.dW == "dram")
        else "accumulators over all samples and steps",
        "state": STATE[layer_plan.state] if layer_plan.layer.saved_state else "none: a read-out",
    }
    if not plan.workload.learns:
        places = {key: places[key] for key in ("inputs", "weights", "state")}
        places["output"] = "DRAM" if layer_plan.stored.S == "dram" else "over the mesh"
    if layer_plan.norm is not None:
        places["batch_norm"] = layer_plan.norm
    if layer_plan.exact:
        places["currents"] = _currents(layer_plan.stored)
        places["dI"] = CURRENT_GRADIENTS[layer_plan.stored.dI]
    return places


def _currents(stored: LayerStores) -> str:
    """Where Y waits for statistics."""
    if stored.Y == "memory":
        return "memory of batch normalisation"
    uses = {"FP": stored.Y_forward, "BP": stored.Y_backward}
    again = [phase for phase, store in uses.items() if store == "dram"]
    return f"DRAM, read again in {' and '.join(again)}" if again else "DRAM, read once"


def _read_layers(plan: Plan, layer: Layer) -> list[str]:
    """Names of the layers that a layer reads; where it has no product, of those that it adds."""
    read = layer.producers if layer.multiplies else layer.added
    return [plan.layers[at].layer.name for at in read]


def _weights(plan: Plan, layer_plan: LayerPlan) -> str:
    """Where FP's weights of the largest slice stay, and how often it walks its blocks."""
    if not layer_plan.layer.multiplies:
        return "none"
    if layer_plan.held is not None:
        return "what other layers leave, from DRAM for every block of a sample and step"
    if layer_plan.stored.W == "memory":
        return "the core, from one mini-batch to the next"
    if layer_plan.stored.W_forward == "memory":
        return "the core, in FP of the layer"
    part = max(layer_plan.cut.slices, key=layer_plan.weight_count)
    sweeps = list(
        forward_sweeps(plan, layer_plan, part, product_region(layer_plan, part), Phase.FP)
    )
    if not sweeps[0].staged:
        per_group = " a group of samples" if plan.schedule.alternates else ""
        return "weight buffer, loaded once" + per_group
    outputs = length(sweeps[0].outputs)
    bits = layer_plan.weight_words("fp", part) * plan.arrays.weight_bits * outputs
    missing = bits > sweeps[0].room * length(part.neurons.channels)
    rest = "; what does not fit comes from DRAM once a block" if missing else ""
    return f"staged in the U memory, {len(sweeps)} rounds of {outputs} channels{rest}"
