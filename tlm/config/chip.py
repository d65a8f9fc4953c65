"""The chip description, version 1: every key a chip file may hold.

No key has a default here: values live in presets, where their provenance is written beside them.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, PlainSerializer, model_validator

from tlm.config import checks
from tlm.config.by_layer import by_layer, shown_by_layer
from tlm.config.core import Core, Precision
from tlm.config.fabric import Dram, Mesh, Noc
from tlm.config.quantities import ChipName, Count, Section

State = Literal["auto", "spill", "keep", "recompute"]


Objective = Literal["time", "energy", "edp", "bytes"]


class Mapping(Section):
    """How a job is laid over the cores: which dimension is split, and in which order layers run.

    ``split`` joins dimensions by ``+``; ``auto`` is all three, ``placed`` gives consecutive layers
    cores of their own. ``group`` samples run through all layers together where ``schedule`` is
    ``pipelined``, at most ``in_flight`` such groups at a time. ``search`` compares whole mappings,
    at most ``search_steps`` of them, by ``objective``.
    ``batch_norm``: with the statistics of the mini-batch, as recorded (``exact``), with running
    statistics that keep the zeros of the gradient (``frozen``), or ``folded`` into the weights.
    ``state``: U, S and m of the neurons go to DRAM between FP and BP (``spill``), stay in the core
    (``keep``), or U is computed again (``recompute``); ``auto`` takes the cheapest for each layer.
    ``states`` lists exceptions, LAYER=POLICY. ``parameters``: weights and the
    optimizer's moments of them stay in the cores from one mini-batch to the next where there is
    room (``auto``), or come from DRAM and go back in every one (``spill``).
    ``static_input``: FP multiplies an image that all time steps share ``once`` and repeats its
    currents, or does so at ``every_step``.
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
    objective: Objective
    batch_norm: Literal["exact", "frozen", "folded"]
    static_input: Literal["once", "every_step"] = "once"
    state: State
    states: Annotated[
        tuple[tuple[str, State], ...],
        BeforeValidator(partial(by_layer, form="LAYER=POLICY (such as [conv0=keep])")),
        PlainSerializer(shown_by_layer),
    ]
    parameters: Literal["auto", "spill"] = "spill"


class ChipConfig(Section):
    """A whole chip, checked: what the model is built from.

    ``energy`` and ``area`` name tables that come with the program, or the paths of one's own.
    ``name`` ends with what was set of the chip, as in ``neuromc-20 + noc.link=256 bit``.
    """

    schema_version: Literal[1]
    name: ChipName
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
    def routers(self) -> int:
        """Routers of the network: the router model has a mesh for requests and one for answers."""
        return self.mesh.columns * self.mesh.rows * (2 if self.noc.model == "router" else 1)

    @property
    def core_cycles_per_s(self) -> float:
        """Cycles of all cores together in a second, each core by its own clock."""
        return sum(1e12 / self.core.period_of(core) for core in range(self.cores))

    @property
    def short_name(self) -> str:
        """The name without what was set of the chip."""
        return self.name.partition(" + ")[0]

    @property
    def dram_nodes(self) -> tuple[int, ...]:
        """The mesh node of every DRAM channel."""
        if self.dram.nodes != "edges":
            return self.dram.nodes
        middles = self.mesh.edge_middles()
        return tuple(middles[channel % len(middles)] for channel in range(self.dram.channels))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *checks.mesh_problems(self.mesh, self.cores),
            *checks.clock_problems(self.core, self.cores),
            *checks.noc_problems(self.noc),
            *checks.dram_problems(self.dram, self.mesh, self.noc),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self
