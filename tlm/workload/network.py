"""What a network without tensors is."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.workload.model import Encoding, Layer


@dataclass(frozen=True)
class Network:
    """A network's shapes: B samples, T steps, layers; ``source`` says where they are from."""

    name: str
    layers: tuple[Layer, ...]
    batch: int
    steps: int
    encoding: Encoding
    source: str
