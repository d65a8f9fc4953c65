"""Names, version and limits of a workload file (see docs/workload-format.md)."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "tlm-workload"
SCHEMA_VERSION: Final = 2
LEVELS: Final = ("bits", "value", "exact")

TEXT_ATTRIBUTES: Final = (
    "schema",
    "levels",
    "name",
    "dataset",
    "licence",
    "optimizer",
    "encoding",
    "provenance",
)
NUMBER_ATTRIBUTES: Final = ("schema_version", "steps", "batch", "accuracy", "iterations")
ROOT_ATTRIBUTES: Final = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES
LAYERS: Final = "layers"
"""An attribute, or a dataset if its text is too long for one."""
PURPOSE: Final = "purpose"
"""An attribute of jobs for inference alone."""

BITS_ATTRIBUTES: Final = ("shape", "sha256")
FLOATS_ATTRIBUTES: Final = ("shape", "sha256", "exponent")

INPUTS: Final = "inputs"
INPUT_VALUES: Final = "input_values"
LOSS_GRADIENT: Final = "loss_gradient"
SPIKES: Final = "spikes"
MASKS: Final = "masks"
KEPT: Final = "kept"  # what a dropout left
GRADIENTS: Final = "gradients"  # the file spells out what all code calls dU
OUTPUT_GRADIENTS: Final = "output_gradients"  # and dY
GRADIENT_VALUES: Final = "gradient_values"
LABELS: Final = "labels"
DECISIONS: Final = "decisions"
DECISION_STEPS: Final = "decision_steps"
REGISTERS: Final = "registers"
PARAMETER_GRADIENTS: Final = "_gradients"
"""Ending of the name of a parameter's gradient: ``weights_gradients``."""

OPTIMIZERS: Final = ("adam", "sgd")
ENCODINGS: Final = ("direct", "rate", "events", "counts", "frames")
OUTPUTS: Final = ("spikes", "membrane")
RESETS: Final = ("hard", "soft", "none")
KINDS: Final = ("conv", "linear", "matmul", "identity")
INPUT_KINDS: Final = ("analog", "binary", "integer")
POOLS: Final = ("max", "average", "sum")
FLOAT_TYPES: Final = {"value": "<f2", "exact": "<f4"}
INTEGER_TYPE: Final = "<u4"

# Caps on an untrusted file. A VGG-8 job of three iterations is about 1 MiB.
MAX_FILE_NBYTES: Final = 1 << 30
MAX_TEXT_NBYTES: Final = 60_000
MAX_LAYERS_NBYTES: Final = 1 << 22
MAX_LAYERS: Final = 1024
MAX_ITERATIONS: Final = 64
MAX_DIMENSION: Final = 1 << 16
MAX_STEPS: Final = 4096
MAX_BATCH: Final = 4096
MAX_SOURCES: Final = 64
MAX_PARTS: Final = 1024
"""Parts of an operand, terms of a part, steps on a term's way."""
MAX_EXPONENT: Final = 126
MAX_FUNCTIONS: Final = 64
MAX_DEVICES: Final = 16
MAX_SHIFTS: Final = 64
MAX_ADDRESS_BITS: Final = 16
MAX_ELEMENTS: Final = 1 << 31
"""Elements of all tensors of one iteration: one byte each once unpacked, four if numbers."""


def iteration_group(position: int) -> str:
    """Name of the group that holds the recording at ``position`` of ``iterations``."""
    return f"iteration{position}"


def layer_group(index: int) -> str:
    """Name of a layer's group inside an iteration's group."""
    return f"layer{index}"
