"""Names, version and limits of a workload file (see docs/workload-format.md)."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "tlm-workload"
SCHEMA_VERSION: Final = 1
LEVEL: Final = "bits"

TEXT_ATTRIBUTES: Final = (
    "schema",
    "level",
    "name",
    "dataset",
    "licence",
    "optimizer",
    "encoding",
    "layers",
    "provenance",
)
NUMBER_ATTRIBUTES: Final = ("schema_version", "steps", "batch", "accuracy", "iterations")
ROOT_ATTRIBUTES: Final = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES
DATASET_ATTRIBUTES: Final = ("shape", "sha256")

INPUTS: Final = "inputs"
LAYER_DATASETS: Final = ("spikes", "masks", "gradients")

OPTIMIZERS: Final = ("adam", "sgd")
ENCODINGS: Final = ("direct", "rate", "events")
RESETS: Final = ("hard", "soft")
INPUT_KINDS: Final = ("analog", "binary")

# Caps on an untrusted file. A VGG-8 job of three iterations is about 1 MiB.
MAX_FILE_NBYTES: Final = 1 << 30
MAX_TEXT_NBYTES: Final = 60_000
MAX_LAYERS: Final = 256
MAX_ITERATIONS: Final = 64
MAX_DIMENSION: Final = 1 << 16
MAX_STEPS: Final = 4096
MAX_BATCH: Final = 4096
MAX_ELEMENTS: Final = 1 << 31
"""Elements of all tensors of one iteration: one byte each once unpacked."""


def iteration_group(which: int) -> str:
    """Name of the group that holds the recording at position ``which``."""
    return f"iteration{which}"


def layer_group(index: int) -> str:
    """Name of a layer's group inside an iteration's group."""
    return f"layer{index}"
