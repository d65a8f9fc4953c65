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
    """How a job is laid over the cores: which dimension is split, and in which order layers run."""

    split: Literal["auto", "k", "batch", "spatial"]
    schedule: Literal["layerwise"]


class ChipConfig(Section):
    """A whole chip, checked: what the model is built from.

    ``energy`` and ``area`` name tables that come with the program, or the paths of one's own.
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
    area: str

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
