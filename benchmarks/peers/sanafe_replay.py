"""Replays the spikes of a recorded job in SANA-FE: ``python sanafe_replay.py FILE MODE``.

On the Loihi that SANA-FE brings: every layer is a group of input neurons that fire as recorded,
joined synapse by synapse to neurons that integrate and stay silent. Groups fill core after core,
which makes as few packets as there can be. Samples follow each other in time, as SANA-FE has no
batch. The amount is the synaptic operations that it counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sanafe

NEURONS_OF_CORE = 1024
NEVER = {"threshold": 1e9}
UNITS = {
    "soma_hw_name": "loihi_lif",
    "default_synapse_hw_name": "loihi_dense_synapse",
    "default_dendrite_hw_name": "loihi_dendrites",
}


class Places:
    """Places of the chip in order, core after core."""

    def __init__(self, cores: Sequence[Any]) -> None:
        self._cores, self._taken = cores, 0

    def take(self, neuron: Any) -> int:
        """Put a neuron at the next place; which of its core that is."""
        core, place = divmod(self._taken, NEURONS_OF_CORE)
        neuron.map_to_core(self._cores[core])
        self._taken += 1
        return place


def synapses(layer: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """(input, output) of every weight of a layer that meets an output."""
    (channels, height, width), (outputs, rows, columns) = layer["inputs"], layer["outputs"]
    axes = (height, width), layer["kernel"], layer["stride"], layer["padding"], (rows, columns)
    reached = [_reached(*axis) for axis in zip(*axes, strict=True)]
    for channel in range(channels):
        for y, x in ((y, x) for y in range(height) for x in range(width)):
            source = (channel * height + y) * width + x
            for row in reached[0][y]:
                for column in reached[1][x]:
                    place = row * columns + column
                    for output in range(outputs):
                        yield source, output * rows * columns + place


def _reached(size: int, kernel: int, stride: int, pad: int, count: int) -> list[list[int]]:
    """Outputs along one axis that each input reaches."""
    taps = [[divmod(at + pad - tap, stride) for tap in range(kernel)] for at in range(size)]
    return [[to for to, rest in pairs if not rest and 0 <= to < count] for pairs in taps]


def build(layers: Sequence[dict[str, Any]], architecture: Any) -> Any:
    """The network, placed."""
    network, places = sanafe.Network(), Places(architecture.cores())
    for number, layer in enumerate(layers):
        events, (outputs, rows, columns) = layer["events"], layer["outputs"]
        sources = network.create_neuron_group(f"in{number}", len(events))
        for index, train in enumerate(events):
            place = places.take(sources[index])
            sources[index].set_attributes(
                soma_hw_name=f"loihi_inputs[{place}]",
                model_attributes={"spikes": [event == "1" for event in train]},
            )
        count = outputs * rows * columns
        targets = network.create_neuron_group(f"out{number}", count, NEVER, **UNITS)
        for index in range(count):
            places.take(targets[index])
        pairs = list(synapses(layer))
        sources.connect_neurons_sparse(targets, {"weight": [1.0] * len(pairs)}, pairs)
    return network


def main(file: str, mode: str) -> None:
    """Load, build and simulate."""
    loading = time.process_time()
    with open(file, encoding="ascii") as stream:
        job = json.load(stream)
    architecture = sanafe.load_loihi()
    network = build(job["layers"], architecture)
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    began = time.process_time()
    result = chip.sim(job["batch"] * job["steps"], timing_model=mode, processing_threads=1)
    ended = time.process_time()
    figures = {
        "amount": result["spikes"], "cpu_s": ended - began, "built_cpu_s": ended - loading
    }  # fmt: skip
    print(f"\n{json.dumps(figures, allow_nan=False)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
