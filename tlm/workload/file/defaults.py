"""What a layer's JSON leaves out: fields that came to the format late, where they are the default.

So older files are read as they are, and jobs that need none of these fields keep their bytes.
"""

from __future__ import annotations

from typing import Any

LAYER: dict[str, Any] = {
    "groups": 1,
    "operand": None,
    "shortcuts": [],
    "dilation": [1, 1],
    "held": None,
    "dropout": 0.0,
}
HELD = {"operand": None, "transposed": False, "input_transposed": False, "scale": 1.0}
NEURON: dict[str, Any] = {
    "current_decay": 0.0,
    "output": "spikes",
    "learnt": [],
    "by_channel": False,
    "channels": {},
}
NORM = {"scaled": True, "shifted": True, "by_step": False, "step_scaled": False}
SHORTCUT = {"pool": None}


def without_defaults(row: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """``row`` without the fields that are as in ``defaults``."""
    return {
        key: value for key, value in row.items() if key not in defaults or value != defaults[key]
    }


def with_defaults(row: Any, defaults: dict[str, Any]) -> Any:
    """A JSON object with the fields that it leaves out; anything else as it is."""
    return {**defaults, **row} if isinstance(row, dict) else row
