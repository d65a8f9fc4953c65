"""DRAM bytes, time and energy of the chip against a GPU, under each of four baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.quantity_text import energy_text
from tlm_analysis.gpu.baseline import GpuBaseline, network_baseline
from tlm_analysis.gpu.comparison.chip_run import ChipRun, counted_dram_nbytes
from tlm_analysis.gpu.device.devices import A100, Device, Range
from tlm_analysis.gpu.step.network import NetworkShapes

BASELINES = (("fused", "amp"), ("fused", "fp32"), ("unfused", "amp"), ("unfused", "fp32"))
COUNTED = "counted (assumed)"
CLAIM = (0.55, 0.85)
"""What the paper claims against an A100: 55 to 85 % less DRAM access."""


@dataclass(frozen=True)
class Comparison:
    """One network under one baseline; ``chip_nbytes`` is a single value if it was simulated.

    ``chip_by`` says how: the activity that was simulated, or a count.
    """

    network: str
    neuron: str
    precision: str
    gpu: GpuBaseline
    chip_nbytes: Range
    chip_by: str

    @property
    def simulated(self) -> bool:
        """Whether the chip's bytes are those of a run."""
        return self.chip_by != COUNTED

    @property
    def reduction(self) -> tuple[float, float] | None:
        """Least and most share of DRAM bytes saved; None where the job fits in the GPU's L2."""
        if self.gpu.fits_in_l2:
            return None
        moved = self.gpu.dram_nbytes
        return 1 - self.chip_nbytes.most / moved, 1 - self.chip_nbytes.least / moved

    @property
    def middle(self) -> float | None:
        """Share saved by the middle of the chip's bytes."""
        return None if self.gpu.fits_in_l2 else 1 - self.chip_nbytes.value / self.gpu.dram_nbytes

    @property
    def verdict(self) -> str:
        """Whether the claim's band is met: all of the range, none of it or part."""
        if self.reduction is None:
            return "not applicable"
        least, most = self.reduction
        if most < CLAIM[0]:
            return "below"
        if least > CLAIM[1]:
            return "above"
        return "inside" if least >= CLAIM[0] and most <= CLAIM[1] else "overlaps"


def compare(
    network: NetworkShapes, run: ChipRun | None = None, device: Device = A100
) -> tuple[Comparison, ...]:
    """A network under every baseline, against a run of it or, without one, against the count.

    The GPU does what ran: the same mini-batch and steps.
    """
    if run is None:
        chip, chip_by = counted_dram_nbytes(network), COUNTED
    else:
        chip, network = Range.exactly(run.dram_nbytes), run.same_job(network)
        chip_by = run.activity.removeprefix("synthetic activity: ")
        chip_by += " (ideal memory)" if run.ideal else ""
    return tuple(
        Comparison(
            f"{network.name} B={network.batch} T={network.steps}",
            neuron,
            precision,
            network_baseline(network, device, precision, neuron),
            chip,
            chip_by,
        )
        for neuron, precision in BASELINES
    )


def ratio_lines(gpu: GpuBaseline, runs: Sequence[ChipRun]) -> list[str]:
    """Each run's time and energy beside the GPU's."""
    low, high = gpu.energy_j_range
    shortest, longest = gpu.time_s_range
    return [
        f"chip {run.chip}, {run.kind}: {run.time_s * 1e6:,.0f} us "
        f"({shortest / run.time_s:.2f} to {longest / run.time_s:.2f} x on the GPU), "
        f"{energy_text(run.energy_j * 1e12)} "
        f"({low / run.energy_j:.1f} to {high / run.energy_j:.1f} x)"
        for run in runs
    ]
