"""SATA's question on our chip: what does training an SNN cost beside the ANN of its shapes?

SATA (Yin et al., arXiv 2204.05422) states 1.27 times the energy. Shapes, T and zeros are those of
its public estimator (github.com/RuokaiYin/SATA_Sim, ``config/vgg5_cifar10.yaml`` and
``energy_cal.py``): VGG5 on CIFAR-10, T = 8, 90 % of the spikes and 70 % of the gradients zero.

``python -m tests.evidence.sata [KEY=VALUE ...]`` prints both runs and their ratio, on the chip with
those values.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tlm.running.runner import run_job
from tlm.trace.summary import Summary
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.drawn.masks import draw
from tlm.workload.drawn.tensors import DrawnTensors
from tlm.workload.model import Pool, Recording, Workload
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job

PUBLISHED = 1.27
SPIKES, GRADIENTS = 0.1, 0.3  # densities
# Every tensor goes through DRAM in every phase, as the estimator counts it.
APART = ("core.memory.sharing=separate", "mapping.state=spill", "mapping.parameters=spill")


@dataclass(frozen=True)
class TwoDensities(DrawnTensors):
    """Spikes of one density, gradients and their masks of another."""

    def recording(self, workload: Workload, position: int) -> Recording:
        """Spikes by the rule, masks and gradients drawn apart."""
        other = draw(workload, Bernoulli(GRADIENTS))
        recorded = super().recording(workload, position)
        return replace(recorded, masks=other.masks, dU=other.dU, dY=other.dY)


def vgg5() -> Workload:
    """The job: weights are updated by plain gradient descent, without moments."""
    net, half = Builder((3, 32, 32), lif_neuron()), Pool.square("average", 2, 2)
    net.conv(64, kernel=3, padding=1, pool=half)
    net.conv(128, kernel=3, padding=1)
    net.conv(128, kernel=3, padding=1, pool=half)
    net.linear(1024)
    net.linear(10, readout=True)
    network = Network("vgg5", tuple(net.layers), 1, 8, "direct", "VGG5 of SATA_Sim")
    rule, words = Bernoulli(SPIKES), f"bernoulli({SPIKES:g})"
    job = network_job(network, rule, words)
    return replace(job, optimizer="sgd", tensors=TwoDensities(rule, words))


def training(kind: ActivityKind, changes: Sequence[str] = ()) -> Summary:
    """An iteration on one core, of the SNN (``recorded``) or of the ANN of its shapes."""
    with TemporaryDirectory() as folder:
        out, overrides = Path(folder) / "run", (*APART, *changes)
        result = run_job(
            vgg5(), chip="neuromc-1", overrides=overrides, out=out, trace="off", activity=kind
        )
    assert result.ok, result.summary.broken
    return result.summary


def main(changes: Sequence[str]) -> None:
    """Print energy and DRAM bytes of both, and SNN / ANN."""
    snn, ann = training("recorded", changes), training("ann", changes)
    for what, of in (("SNN", snn), ("ANN", ann)):
        print(f"{what}: {of.energy.total_pj / 1e9:.2f} mJ, {of.dram.nbytes / 1e6:.1f} MB of DRAM, "
              f"cores {of.efficiency.core_pj / 1e9:.2f} mJ")  # fmt: skip
    ratio = snn.energy.total_pj / ann.energy.total_pj
    print(f"SNN / ANN: energy {ratio:.2f} (published {PUBLISHED}), DRAM "
          f"{snn.dram.nbytes / ann.dram.nbytes:.2f}, "
          f"cores {snn.efficiency.core_pj / ann.efficiency.core_pj:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
