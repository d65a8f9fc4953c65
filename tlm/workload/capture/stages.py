"""Boundaries -> stages: which norm and which neuron follow which convolution or linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.model import Shape3

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class TopologyStage:
    """A convolution or linear layer with the boundaries behind it, as they were called.

    Its shapes are (C, H, W) or (K, E, F); those of a linear layer (C, 1, 1) and (K, 1, 1).
    """

    product: Boundary
    norm: Boundary | None
    neuron: Boundary | None

    @property
    def last(self) -> Boundary:
        """The boundary whose output later layers read."""
        return self.neuron or self.norm or self.product

    @property
    def in_shape(self) -> Shape3:
        """Shape of the input."""
        return self._shape(self.product.inputs[0])

    @property
    def product_shape(self) -> Shape3:
        """Shape of the product, before a pool of currents."""
        return self._shape(self.product.outputs[0])

    @property
    def out_shape(self) -> Shape3:
        """Shape of the neurons; of the product if there are none."""
        return self.product_shape if self.neuron is None else self._shape(self.neuron.inputs[0])

    def _shape(self, tensor: Tensor) -> Shape3:
        rank = 3 if self.product.kind == "conv" else 1
        channels, height, width = (*tensor.shape[-rank:], 1, 1)[:3]
        return (int(channels), int(height), int(width))


def stages_of(boundaries: Mapping[str, Boundary]) -> tuple[TopologyStage, ...]:
    """One stage for each layer, in order of the forward pass.

    Raises WorkloadError if a neuron or norm does not follow exactly one layer.
    """
    norms = _followers(boundaries, "norm", ("conv", "linear"), most_pools=0)
    neurons = _followers(boundaries, "neuron", ("conv", "linear", "norm"), most_pools=1)
    stages = []
    for boundary in boundaries.values():
        if boundary.kind in ("conv", "linear"):
            norm = norms.get(boundary.name)
            neuron = neurons.get(boundary.name if norm is None else norm.name)
            stages.append(TopologyStage(boundary, norm, neuron))
    if not stages:
        raise WorkloadError(
            "no nn.Conv2d or nn.Linear was called; record the network's own forward"
        )
    return tuple(stages)


def _followers(
    boundaries: Mapping[str, Boundary], kind: str, after: tuple[str, ...], most_pools: int
) -> dict[str, Boundary]:
    """Boundaries of ``kind``, each by the name of the boundary that it follows."""
    followers: dict[str, Boundary] = {}
    for boundary in boundaries.values():
        if boundary.kind != kind:
            continue
        edges = boundary.edges
        kinds = [boundaries[edge.source].kind if edge.source else "input" for edge in edges]
        plain = len(edges) == 1 and len(edges[0].pools) <= most_pools and kinds[0] in after
        if not plain:
            pools = " through pools" if any(edge.pools for edge in edges) else ""
            names = " + ".join(edge.source or "the input" for edge in edges)
            raise WorkloadError(
                f"{boundary.name}: expected to follow one {' or '.join(after)} directly, but its "
                f"input is {names}{pools}; pool once, behind the norm or the neuron, and add "
                "residuals as spikes before the next convolution"
            )
        if edges[0].source in followers:
            raise WorkloadError(
                f"{edges[0].source}: two modules, {followers[edges[0].source].name} and "
                f"{boundary.name}, follow it; give each a layer of its own"
            )
        followers[edges[0].source] = boundary
    return followers
