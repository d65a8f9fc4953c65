"""LIF neurons as JSON, with constants by channel as an object of lists of K numbers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tlm.workload.channels import CONSTANTS
from tlm.workload.file import defaults, schema
from tlm.workload.file.defaults import with_defaults, without_defaults
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.json_reader import JsonReader
from tlm.workload.learnt import DECAYS, LEARNT, set_by
from tlm.workload.model import Channels, Layer, Neuron
from tlm.workload.surrogate import COMPACT

_KEYS = tuple(Neuron.__dataclass_fields__)
_ROUNDING = 1e-5
_SIGNED = ("reset_value", "offset", "initial")


def neuron_to_json(neuron: Neuron) -> dict[str, Any]:
    """The object that stands for ``neuron``."""
    channels = {name: list(values) for name, values in neuron.channels}
    row = {**asdict(neuron), "learnt": list(neuron.learnt), "channels": channels}
    return without_defaults(row, defaults.NEURON)


def neuron_from_json(reader: JsonReader, key: str, value: Any) -> Neuron:
    """The neuron of an object, checked; WorkloadError names the first misfit."""
    row = reader.record(key, with_defaults(value, defaults.NEURON), _KEYS)
    surrogate = reader.text(f"{key}.surrogate", row["surrogate"])
    compact = reader.boolean(f"{key}.compact", row["compact"])
    if COMPACT.get(surrogate, compact) != compact:
        expected = f"{COMPACT[surrogate]} for a {surrogate} surrogate"
        raise fault(reader.path, f"{key}.compact", expected, compact, REMEDY)

    def constant(name: str) -> float:
        return _constant(reader, f"{key}.{name}", row[name], name)

    return Neuron(
        decay=constant("decay"),
        gain=constant("gain"),
        threshold=constant("threshold"),
        reset=reader.choice(f"{key}.reset", row["reset"], schema.RESETS, REMEDY),
        detach_reset=reader.boolean(f"{key}.detach_reset", row["detach_reset"]),
        surrogate=surrogate,
        surrogate_width=reader.number(f"{key}.surrogate_width", row["surrogate_width"], 0),
        surrogate_peak=reader.number(f"{key}.surrogate_peak", row["surrogate_peak"], 0),
        compact=compact,
        reset_value=constant("reset_value"),
        offset=constant("offset"),
        initial=constant("initial"),
        fires_at_threshold=reader.boolean(f"{key}.fires_at_threshold", row["fires_at_threshold"]),
        current_decay=constant("current_decay"),
        output=reader.choice(f"{key}.output", row["output"], schema.OUTPUTS, REMEDY),
        learnt=_learnt(reader, f"{key}.learnt", row["learnt"]),
        by_channel=reader.boolean(f"{key}.by_channel", row["by_channel"]),
        channels=_channels(reader, f"{key}.channels", row["channels"]),
    )


def check_channels(path: Path, layer: Layer) -> None:
    """Each channel has its constants, beside their mean; none of them follows from what is learnt.

    Raises WorkloadError naming the first constant that does not fit.
    """
    neuron = layer.neuron
    if not isinstance(neuron, Neuron):
        return
    for name, values in neuron.channels:
        key = f"layers[{layer.index}].neuron.channels.{name}"
        if len(values) != layer.out_shape[0]:
            expected = f"{layer.out_shape[0]} numbers, one a channel"
            raise fault(path, key, expected, f"{len(values)}", REMEDY)
        mean, stated = sum(values) / len(values), getattr(neuron, name)
        if abs(mean - stated) > _ROUNDING * max(map(abs, values)):
            key = f"layers[{layer.index}].neuron.{name}"
            raise fault(path, key, f"{mean:g}, the mean of its channels", stated, REMEDY)
        if name in set_by(neuron):
            expected = f"no constant that follows from what is learnt ({', '.join(neuron.learnt)})"
            raise fault(path, key, expected, name, REMEDY)


def _constant(reader: JsonReader, key: str, value: Any, name: str) -> float:
    return reader.number(key, value) if name in _SIGNED else reader.number(key, value, 0)


def _learnt(reader: JsonReader, key: str, value: Any) -> tuple[str, ...]:
    """Names of the numbers of a neuron that learn; of those that set its decay one at most."""
    if not isinstance(value, list) or len(value) != len(set(map(str, value))):
        raise fault(reader.path, key, "a list of different names", value, REMEDY)
    names = tuple(reader.choice(f"{key}[{at}]", name, LEARNT, REMEDY)
                  for at, name in enumerate(value))  # fmt: skip
    if sum(name in DECAYS for name in names) > 1:
        raise fault(reader.path, key, f"one of {', '.join(DECAYS)} at most", value, REMEDY)
    return names


def _channels(reader: JsonReader, key: str, value: Any) -> Channels:
    """Constants by channel, in the order of ``CONSTANTS``."""
    if not isinstance(value, dict):
        raise fault(reader.path, key, "an object of lists of numbers", value, REMEDY)
    for name, numbers in value.items():
        reader.choice(key, name, CONSTANTS, REMEDY)
        if not isinstance(numbers, list):
            expected = "a list of numbers, one a channel"
            raise fault(reader.path, f"{key}.{name}", expected, numbers, REMEDY)
    return tuple(
        (
            name,
            tuple(
                _constant(reader, f"{key}.{name}[{at}]", number, name)
                for at, number in enumerate(value[name])
            ),
        )
        for name in CONSTANTS
        if name in value
    )
