"""The released NeuroMC energies, fragment by fragment, from the general model in mode ``dense``.

Reference: SpikingJelly's energy_model_validation.csv (commit a688b400), which lists the author
model's energies of one image and one time step without DRAM and mesh: validated, not calibrated.
The constants are those of the energy table; the accesses follow from nests and arrays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tlm.config import EnergyTable
from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.program.build import build_program
from tlm.space.phase import Phase
from tlm.storage.planning import make_plan
from tlm.workload.model import Layer, Recording, Workload
from tlm.workload.surrogate import lif_neuron

NEURON = lif_neuron()
ONE_BLOCK = ("core.memory.partial_sums=64 Mib", "core.memory.gradients=1 Gib")  # as the authors
# Prices are those of the authors' buffers; larger ones, so that a block holds a layer, cost more.
PRICES = load_chip("neuromc-20", ["core.memory.accumulators=18 Kib"]).energy
STOCK_PRICES = load_chip("neuromc-20").energy
STOCK_EXCESS = {"fp": (0.023, 0.026), "bp": (0.017, 0.018), "wg": (0.008, 0.032)}  # docs/model.md
DENSE = tuple(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg"))

# engine, C, K, image side, compute pJ, base memory pJ; all kernels 3 x 3
FRAGMENTS = [
    ("fp", 64, 48, 56, 50_718_641, 75_699_405),
    ("fp", 64, 32, 56, 33_812_427, 50_466_270),
    ("fp", 64, 128, 28, 33_812_427, 50_763_967),
    ("fp", 128, 96, 28, 50_601_060, 76_588_043),
    ("bp", 64, 16, 56, 40_184_604, 36_202_817),
    ("bp", 64, 32, 56, 79_490_475, 73_584_548),
    ("bp", 64, 48, 56, 118_796_346, 110_966_279),
    ("bp", 64, 128, 56, 315_325_703, 297_874_933),
    ("wg", 128, 128, 28, 67_311_305, 65_241_940),
    ("wg", 256, 128, 14, 33_655_652, 33_793_793),
    ("wg", 128, 256, 28, 134_622_609, 130_483_879),
]
COMPUTE = ("mac_add", "mac", "soma_op", "grad_op")
BASE_MEMORY = {"reg16", "reg1", "weight_read", "spike_read", "gradient_read", "partial_read",
               "partial_write", "accumulator_write"}  # fmt: skip


def counts(
    engine: str, c: int, k: int, side: int, memories: tuple[str, ...] = ONE_BLOCK
) -> dict[str, int]:
    """What the engine's tiles count for the fragment, its soma or gradient unit included."""
    plane = (side, side)
    layers = (
        Layer(0, "before", "conv", (c, *plane), (c, *plane), (1, 1), (1, 1), (0, 0), (-1,),
              None, "binary", False, None, None, NEURON, None),
        Layer(1, "fragment", "conv", (c, *plane), (k, *plane), (3, 3), (1, 1), (1, 1), (0,),
              None, "binary", False, None, None, NEURON, None),
    )  # fmt: skip
    job = Workload(Path("fragment"), "fragment", layers, 1, 1, "none", "none", 0.0, "sgd", "rate",
                   (0,), ("bits",), {}, "0" * 64)  # fmt: skip
    full = tuple(np.ones((1, 1, *layer.out_shape), dtype=np.bool_) for layer in layers)
    recording = Recording(0, np.ones((1, 1, c, *plane), dtype=np.bool_), full, full, full, full)
    loaded = load_chip("neuromc-20", ("cores=1", *memories, *DENSE))
    timing = load_dram_timing(loaded.config.dram.device)
    program = build_program(make_plan(job, recording, loaded, timing))
    phases = {"fp": [(Phase.FP, 1)], "bp": [(Phase.BP, 1), (Phase.GRAD, 0)], "wg": [(Phase.WG, 1)]}
    total: dict[str, int] = {}
    for tile in program.tiles[0][engine]:
        if (tile.phase, tile.layer) in phases[engine]:
            for action, count in tile.work.energy.items():
                total[action] = total.get(action, 0) + count
    return total


def compute_and_memory(
    total: dict[str, int], prices: EnergyTable, engine: str, neurons: int
) -> tuple[float, float]:
    """Compute and base-memory energy in pJ as the authors sum them up.

    The sums that the soma or gradient unit reads, one a neuron, are outside their "base memory".
    """
    energy = {
        action.partition(".")[2]: count * prices.pj(*action.split("."))
        for action, count in total.items()
    }
    compute = sum(energy.get(action, 0.0) for action in COMPUTE)
    memory = sum(pj for action, pj in energy.items() if action in BASE_MEMORY)
    outside = 0.0 if engine == "wg" else neurons * prices.pj(engine, "partial_read")
    return compute, memory - outside


@pytest.mark.parametrize(("engine", "c", "k", "side", "compute_pj", "memory_pj"), FRAGMENTS)
def test_fragment(
    engine: str, c: int, k: int, side: int, compute_pj: float, memory_pj: float
) -> None:
    """Compute and base-memory energy within 0.1 % of the author model's, with its memories."""
    total = counts(engine, c, k, side)
    neurons = (k if engine == "fp" else c) * side * side
    compute, memory = compute_and_memory(total, PRICES, engine, neurons)
    assert compute == pytest.approx(compute_pj, rel=1e-3)
    assert memory == pytest.approx(memory_pj, rel=1e-3)


@pytest.mark.parametrize(("engine", "c", "k", "side", "compute_pj", "memory_pj"), FRAGMENTS)
def test_fragment_in_the_memories_of_the_preset(
    engine: str, c: int, k: int, side: int, compute_pj: float, memory_pj: float
) -> None:
    """With the preset's memories arithmetic is the same; memory costs more, as the page says."""
    total = counts(engine, c, k, side, ())
    neurons = (k if engine == "fp" else c) * side * side
    compute, memory = compute_and_memory(total, STOCK_PRICES, engine, neurons)
    least, most = STOCK_EXCESS[engine]
    assert compute == pytest.approx(compute_pj, rel=1e-3)
    assert least <= memory / memory_pj - 1 <= most
