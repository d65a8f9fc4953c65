"""The chip description, version 1: every key a chip file may hold.

No key has a default here: values live in presets, where their provenance is written beside them.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from tlm.config.checks import chip_problems
from tlm.config.core import Core, Precision
from tlm.config.fabric import Dram, Mesh, Noc
from tlm.config.quantities import Count, Name, Section


class Mapping(Section):
    """How a job is laid over the cores: which dimension is split, and in which order layers run.

    ``split`` joins dimensions by ``+``; ``auto`` is all three, ``placed`` gives consecutive layers
    cores of their own. ``group`` samples run through all layers together where ``schedule`` is
    ``pipelined``, at most ``in_flight`` such groups at a time. ``search`` compares whole mappings,
    at most ``search_steps`` of them, by ``objective``.
    """

    split: Literal[
        "auto", "k", "batch", "spatial", "k+batch", "k+spatial", "batch+spatial",
        "placed", "placed+k", "placed+batch", "placed+spatial", "placed+k+spatial",
    ]  # fmt: skip
    schedule: Literal["layerwise", "pipelined", "wavefront"]
    group: Count
    in_flight: Count
    search: Literal["none", "greedy", "local"]
    search_steps: Count
    objective: Literal["time", "energy", "edp"]


class ChipConfig(Section):
    """A whole chip, checked: what the model is built from.

    ``energy`` names an energy table that comes with the program, or the path of one.
    """

    schema_version: Literal[1]
    name: Name
    mesh: Mesh
    cores: Count
    core: Core
    precision: Precision
    noc: Noc
    dram: Dram
    mapping: Mapping
    energy: str

    @property
    def dram_nodes(self) -> tuple[int, ...]:
        """The mesh node of every DRAM channel."""
        if self.dram.nodes != "edges":
            return self.dram.nodes
        middles = self.mesh.edge_middles()
        return tuple(middles[channel % len(middles)] for channel in range(self.dram.channels))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = chip_problems(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self
