"""TFLOPS/W of a chip's engines on one dense layer, counted without simulating anything."""

from __future__ import annotations

import math

from tlm.running.figures.energy import CORE_COMPONENTS, CORE_PHASES
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import DenseActivity
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job

LAYER = "convolution 256 to 256, 3 x 3, on 14 x 14 (S-ResNet18)"


def dense_tflops_per_w(chip: str) -> float:
    """FLOP/pJ of FP, BP and WG of :data:`LAYER`, nothing skipped, one image and step.

    Boundary core: engines, their buffers, soma and gradient unit; two FLOP per multiply-accumulate.
    """
    net = Builder((256, 14, 14), lif_neuron(), analog=False)
    net.conv(256, kernel=3, padding=1)
    net.conv(256, kernel=3, padding=1)
    network = Network("reference-layer", tuple(net.layers), 1, 1, "rate", LAYER)
    job = network_job(network, DenseActivity(), "dense")
    prepared = prepare(RunRequest(job.name, chip, activity="dense"), job)
    tiles = [
        tile
        for engines in prepared.program.tiles
        for programmed in engines.values()
        for tile in programmed
        if tile.layer == 1 and tile.phase.name.lower() in CORE_PHASES
    ]
    energy_pj = math.fsum(
        count * prepared.chip.energy.pj(component, name)
        for tile in tiles
        for action, count in tile.work.energy.items()
        for component, _, name in [action.partition(".")]
        if component in CORE_COMPONENTS
    )
    return 2 * sum(tile.work.dense for tile in tiles) / energy_pj
