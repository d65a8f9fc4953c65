"""Any layer's energies, mode ``dense``, against the equations of the released NeuroMC model.

The equations (one image, one time step, DRAM and mesh left out) reproduce all reference fragments;
here they are held against shapes that no reference lists: other sides, 1 x 1 kernels, strides.
Channels are multiples of 16 as the authors cut them: for others the released model charges operand
reads by outputs, this one the operands there are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.program.build import build_program
from tlm.space.phase import Phase
from tlm.storage.planning import make_plan
from tlm.workload.model import Layer, Recording, Workload
from tlm.workload.surrogate import lif_neuron

ONE_BLOCK = ("core.memory.partial_sums=64 Mib", "core.memory.gradients=1 Gib")  # as the authors
# Prices are those of the authors' buffers; larger ones, so that a block holds a layer, cost more.
PRICES = load_chip("neuromc-20", ["core.memory.accumulators=18 Kib"]).energy
DENSE = tuple(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg"))
REG1 = 0.00901 / 7.1 * 2
REG16 = 16 * REG1
SPIKES, WEIGHTS, SUMS = 0.44854798, 5.302477904, 5.792676768  # pJ an access of each buffer
MAC = {"fp": 0.58225, "bp": 1.36, "wg": 0.58225}
COUNTED = {
    "fp": ("mac_add", "reg16", "reg1", "weight_read", "spike_read", "partial_read",
           "partial_write"),
    "bp": ("mac", "reg16", "weight_read", "gradient_read", "partial_read", "partial_write"),
    "wg": ("mac_add", "reg16", "reg1", "spike_read", "gradient_read", "accumulator_write"),
}  # fmt: skip


def charged_by_the_equations(layer: Layer, engine: str) -> float:
    """Energy in pJ of an engine, without soma, gradient unit, DRAM and mesh."""
    (c, h, w), (k, e, f) = layer.in_shape, layer.out_shape
    taps = layer.kernel[0] * layer.kernel[1]
    stride = layer.stride[0]
    plane = {"fp": e * f, "bp": h * w, "wg": e * stride * f * stride}[engine]
    mac, weights = c * k * plane * taps, c * k * taps
    if engine == "wg":
        return (
            mac * (MAC["wg"] + 2 * REG1 + 4 * REG16)
            + -(-mac // min(k, 16)) * SPIKES
            + -(-mac // min(c, 16)) * SUMS
            + weights * WEIGHTS
        )
    reduced, out = (c, k * plane) if engine == "fp" else (k, c * plane)
    register, operand = (REG1, SPIKES) if engine == "fp" else (REG16, SUMS)
    chunks = -(-reduced // 16) * taps
    partial, streamed = out * (chunks - 1), out * chunks
    return (
        mac * (MAC[engine] + 2 * register)
        + 2 * weights * REG16
        + weights * WEIGHTS
        + (3 * mac - out + partial) * REG16
        + streamed * operand
        + (partial + streamed) * SUMS
    )


def charged_by_the_model(layer: Layer, engine: str) -> float:
    """The same from the tiles of the general model, on one core."""
    plain = layer.in_shape
    before = Layer(0, "before", "conv", plain, plain, (1, 1), (1, 1), (0, 0), (-1,), None,
                   "binary", False, None, None, lif_neuron(), None)  # fmt: skip
    layers = (before, layer)
    job = Workload(Path("layer"), "layer", layers, 1, 1, "none", "none", 0.0, "sgd", "rate", (0,),
                   ("bits",), {}, "0" * 64)  # fmt: skip
    full = tuple(np.ones((1, 1, *layer.out_shape), dtype=np.bool_) for layer in layers)
    inputs = np.ones((1, 1, *plain), dtype=np.bool_)
    loaded = load_chip("neuromc-20", ("cores=1", *ONE_BLOCK, *DENSE))
    recording = Recording(0, inputs, full, full, full, full)
    timing = load_dram_timing(loaded.config.dram.device)
    program = build_program(make_plan(job, recording, loaded, timing))
    phase = {"fp": Phase.FP, "bp": Phase.BP, "wg": Phase.WG}[engine]
    total = 0.0
    for tile in program.tiles[0][engine]:
        if tile.phase == phase and tile.layer == 1:
            for action, count in tile.work.energy.items():
                component, _, name = action.partition(".")
                if component == engine and name in COUNTED[engine]:
                    total += count * PRICES.pj(component, name)
    if engine == "fp":  # the sums that the soma reads are not part of the convolution
        k, e, f = layer.out_shape
        total -= k * e * f * SUMS
    return total


@settings(max_examples=15)
@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)), side=st.integers(2, 15),
    kernel=st.sampled_from([1, 3, 5]), stride=st.integers(1, 2),
    engine=st.sampled_from(["fp", "bp", "wg"]),
)  # fmt: skip
def test_any_layer_costs_what_the_equations_say(
    channels: tuple[int, int], side: int, kernel: int, stride: int, engine: str
) -> None:
    """Within 0.1 %; BP and WG of strided layers on the grid with the stride's zeros inserted."""
    c, k = (16 * count for count in channels)
    out = (side + 2 * (kernel // 2) - kernel) // stride + 1
    layer = Layer(1, "layer", "conv", (c, side, side), (k, out, out), (kernel, kernel),
                  (stride, stride), (kernel // 2, kernel // 2), (0,), None, "binary", False, None,
                  None, lif_neuron(), None)  # fmt: skip
    expected = charged_by_the_equations(layer, engine)
    assert charged_by_the_model(layer, engine) == pytest.approx(expected, rel=1e-3)
