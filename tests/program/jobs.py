"""Small random jobs and chips to place them on: no files, no training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.energy import energy_rows
from tlm.laws import Bill, check_run
from tlm.laws.due import due_of
from tlm.program.build import build_program
from tlm.space.tile import Tile
from tlm.storage.planning import make_plan
from tlm.workload.model import Layer, Pool, Recording, Workload
from tlm.workload.surrogate import lif_neuron

NEURON = lif_neuron()
DENSE = tuple(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg"))
NO_SLICE_SKIPPING = "core.skip_slices=false"
IDEAL_DRAM = "dram.model=ideal"


@dataclass(frozen=True)
class Densities:
    """Share of ones in the random masks; ``live`` is the share of (step, sample) slices of dU."""

    inputs: float = 0.4
    spikes: float = 0.3
    masks: float = 0.4
    gradients: float = 0.3
    live: float = 0.8


@cache
def loaded_chip(*overrides):
    """The preset with overrides; loading is slow enough to do it once."""
    return load_chip("neuromc-20", list(overrides))


def array_overrides(chunk, tile):
    """Overrides for engines of ``chunk`` input and ``tile`` output channels in FP."""
    sides = {"fp": (chunk, tile), "bp": (tile, chunk), "wg": (chunk, tile)}
    found = []
    for engine, (rows, cols) in sides.items():
        found += [f"core.engines.{engine}.rows={rows}", f"core.engines.{engine}.cols={cols}"]
    return tuple(found)


def conv(in_shape, channels, kernel, stride=1, padding=0, pool=None, dilation=1):
    """A convolution with square kernel, stride and padding; its index is set by ``job``."""
    reach = dilation * (kernel - 1) + 1
    out = tuple((side + 2 * padding - reach) // stride + 1 for side in in_shape[1:])
    pooling = Pool.square("max", pool, pool) if pool else None
    return Layer(
        0, "conv", "conv", in_shape, (channels, *out), (kernel, kernel), (stride, stride),
        (padding, padding), (-1,), None, "binary", False, None, None, NEURON, pooling,
        dilation=(dilation, dilation),
    )  # fmt: skip


def linear(inputs, outputs):
    """A fully connected layer."""
    return Layer(
        0, "linear", "linear", (inputs, 1, 1), (outputs, 1, 1), (1, 1), (1, 1), (0, 0), (-1,),
        None, "binary", False, None, None, NEURON, None,
    )  # fmt: skip


def job(*layers, steps=2, batch=2, seed=0, densities=None, encoding="rate", optimizer="adam"):
    """A chain of layers with random masks; a linear layer is fitted to what comes before."""
    densities = densities or Densities()
    chain = []
    for index, layer in enumerate(layers):
        kind = "analog" if index == 0 and encoding == "direct" else "binary"
        name = f"{layer.kind}{index + 1}"
        chain.append(replace(layer, index=index, name=name, sources=(index - 1,), input_kind=kind))
    workload = Workload(
        Path("random"), "random", tuple(chain), steps, batch, "random", "none", 0.0, optimizer,
        encoding, (0,), ("bits",), {}, "0" * 64,
    )  # fmt: skip
    draw = np.random.default_rng(seed)

    def mask(shape, density):
        return draw.random(shape) < density

    shapes = [workload.neuron_shape(layer) for layer in chain]
    gradients = [
        mask(shape, densities.gradients) & mask((*shape[:2], 1, 1, 1), densities.live)
        for shape in shapes
    ]
    recording = Recording(
        0,
        mask(workload.input_shape, densities.inputs),
        tuple(mask(shape, densities.spikes) for shape in shapes),
        tuple(mask(shape, densities.masks) for shape in shapes),
        tuple(gradients),
        tuple(gradients),
    )
    return workload, recording


def place(workload, recording, *overrides):
    """The plan of a job on the preset with overrides."""
    loaded = loaded_chip(*overrides)
    return make_plan(workload, recording, loaded, load_dram_timing(loaded.config.dram.device))


def tiles_of(program, phase, layer=None):
    """All tiles of a phase (and layer), core by core."""
    return [
        tile
        for engines in program.tiles
        for tiles in engines.values()
        for tile in tiles
        if tile.phase == phase and layer in (None, tile.layer)
    ]


def broken_by(chip, plan, program, table):
    """The laws that a settled run breaks, its energy by ``table``."""
    rows = energy_rows(chip, table)
    bill = Bill(rows, sum(row.total_pj for row in rows), table)
    checks = check_run(chip, program, due(plan), bill)
    return [f"{check.name}: {check.detail}" for check in checks if not check.holds]


def due(plan):
    """What the laws ask of a planned job."""
    return due_of(plan, plan.layers[0].masks.recording)


def built(workload, recording, *overrides):
    """Plan and program of a job."""
    plan = place(workload, recording, *overrides)
    return plan, build_program(plan)


def corrupt(tile: Tile, part: str, value: object) -> None:
    """Put a fault into a finished tile, which no code of ours changes."""
    object.__setattr__(tile, part, value)
