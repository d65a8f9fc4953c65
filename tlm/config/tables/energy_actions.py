"""The actions that cost energy: what the model counts, and what every energy table must price.

An action is counted under ``COMPONENT.ACTION`` (such as ``fp.mac_add``) where a tile is made, and
priced by the table's entry of the same name. A new action is added here and to every table.
"""

from __future__ import annotations

# Engines: *_read, *_write are accesses of a memory of the core; stage_* those of weights that are
# staged in the U memory; norm_* the parts of batch normalisation; reg16 and reg1 registers.
_NORM = ("norm_stat", "norm_op", "norm_channel", "norm_add", "norm_scale", "norm_read",
         "norm_write")  # fmt: skip
_STAGE = ("stage_read", "stage_write")

ACTIONS: dict[str, tuple[str, ...]] = {
    "fp": (
        "mac_add", "mac_mul", "reg16", "reg1", "weight_read", "weight_write", "spike_read",
        "value_read", "partial_read", "partial_write", "soma_op", "current_op", "membrane_read",
        "membrane_write", "state_write", "input_add", "input_pool", "pool",
        "current_pool", "shortcut_add", "bias_add", "glm_product", "glm_draw", "glm_arbitration",
        *_NORM, *_STAGE,
    ),
    "bp": (
        "mac", "reg16", "reg1", "weight_read", "weight_write", "gradient_read", "partial_read",
        "partial_write", "grad_op", "current_op", "learnt_op", "membrane_read", "gradient_write",
        "state_read", "reduce_add", "bias_add", *_NORM, *_STAGE,
    ),
    "wg": (
        "mac_add", "mac_mul", "reg16", "reg1", "spike_read", "value_read", "gradient_read",
        "accumulator_write", "accumulator_read", "reduce_add", "update_op_sgd",
        "update_op_adam", "input_add", "input_pool", "optimizer_read", "optimizer_write",
    ),
    "engine": ("scan", "queue_push", "queue_pop", "merge_add", "mac_idle"),
    "noc": ("router_bit", "link_bit"),
    "dram": ("read_bit", "write_bit", "activate", "refresh"),
}  # fmt: skip

LEAKAGE = "leakage"  # the action of what is charged by time
LEAKING = ("core", "router", "dram_channel")  # components with leakage, per instance
