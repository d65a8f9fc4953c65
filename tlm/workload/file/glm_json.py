"""GLM neurons as JSON, marked by their ``kind``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tlm.workload.file import schema
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.json_reader import JsonReader
from tlm.workload.glm.lfsr import TAPS
from tlm.workload.glm.neuron import GLMNeuron

GLM = "glm"
_KEYS = ("kind", *GLMNeuron.__dataclass_fields__)


def glm_to_json(neuron: GLMNeuron) -> dict[str, Any]:
    """The object that stands for ``neuron``."""
    return {"kind": GLM, **asdict(neuron)}


def glm_from_json(reader: JsonReader, key: str, value: dict[str, Any]) -> GLMNeuron:
    """The neuron of an object of that kind, checked; WorkloadError names the first misfit."""
    row = reader.record(key, value, _KEYS)

    def whole(name: str, low: int, high: int) -> int:
        return reader.integer(f"{key}.{name}", row[name], low, high)

    taps = whole("taps", 1, schema.MAX_STEPS)
    register_bits = whole("register_bits", min(TAPS), max(TAPS))
    weight_step = reader.number(f"{key}.weight_step", row["weight_step"], 0)
    if not weight_step:
        raise fault(reader.path, f"{key}.weight_step", "a number above 0", weight_step, REMEDY)
    return GLMNeuron(
        functions=whole("functions", 1, min(taps, schema.MAX_FUNCTIONS)),
        taps=taps,
        devices=whole("devices", 1, schema.MAX_DEVICES),
        weight_step=weight_step,
        register_bits=register_bits,
        shifts=whole("shifts", 1, schema.MAX_SHIFTS),
        address_bits=whole("address_bits", 1, schema.MAX_ADDRESS_BITS),
        output_bits=whole("output_bits", 1, register_bits),
    )
