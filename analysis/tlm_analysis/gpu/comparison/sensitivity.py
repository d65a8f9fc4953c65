"""Which assumption moves the GPU's figures most: each one to its ends, all others as usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tlm_analysis.gpu.baseline import GpuBaseline, network_baseline
from tlm_analysis.gpu.device.assumptions import USUAL, Assumptions
from tlm_analysis.gpu.device.devices import Device, Range
from tlm_analysis.gpu.step.network import NetworkShapes
from tlm_analysis.gpu.step.norm import NORM_PASSES

_DIRTY = Range(0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Swing:
    """What a figure is with one assumption at either end."""

    assumption: str
    least: float
    most: float

    @property
    def width(self) -> float:
        """How far the figure moves."""
        return abs(self.most - self.least)


@dataclass(frozen=True)
class AssumptionCase:
    """A device, what beside it is assumed, and the form of the job."""

    device: Device
    assumptions: Assumptions = USUAL
    precision: str = "amp"
    neuron: str = "fused"
    norm_passes: int = NORM_PASSES

    def baseline(self, network: NetworkShapes) -> GpuBaseline:
        """The step of a network in this case."""
        return network_baseline(
            network, self.device, self.precision, self.neuron, self.assumptions, self.norm_passes
        )


AssumptionEnds: TypeAlias = tuple[str, GpuBaseline, GpuBaseline]
"""An assumption, and the step with it at either end."""

Figure: TypeAlias = Callable[[GpuBaseline], float]


def outcomes(device: Device, network: NetworkShapes) -> tuple[AssumptionEnds, ...]:
    """A network's step with every assumption at its least and at its most, all others as usual."""
    cases = _cases(AssumptionCase(device))
    return tuple((name, low.baseline(network), high.baseline(network)) for name, low, high in cases)


def swings(cases: Sequence[AssumptionEnds], figure: Figure) -> tuple[Swing, ...]:
    """What each assumption does to a figure of the step, the widest first."""
    widths = [Swing(name, figure(low), figure(high)) for name, low, high in cases]
    return tuple(sorted(widths, key=lambda swing: -swing.width))


def dram_reduction(chip_nbytes: float) -> Figure:
    """The share of DRAM bytes that a chip of so many saves."""
    return lambda step: 1 - chip_nbytes / step.dram_nbytes


def energy(step: GpuBaseline) -> float:
    """Energy of an iteration on the GPU, J."""
    return step.energy.total.value


def _cases(usual: AssumptionCase) -> list[tuple[str, AssumptionCase, AssumptionCase]]:
    device, assumed = usual.device, usual.assumptions

    def of_device(name: str, of: Range, change: Callable[[Range], Device]) -> _Named:
        low, high = (replace(usual, device=change(Range.exactly(v))) for v in (of.least, of.most))
        return name, low, high

    def of_all(name: str, of: Range, change: Callable[[Range], Assumptions]) -> _Named:
        low, high = (
            replace(usual, assumptions=change(Range.exactly(v))) for v in (of.least, of.most)
        )
        return name, low, high

    conv = device.conv_efficiency
    return [
        ("precision (AMP, FP32)", usual, replace(usual, precision="fp32")),
        ("neuron kernels (fused, unfused)", usual, replace(usual, neuron="unfused")),
        ("membrane kept (FP16, FP32)", usual, replace(usual, neuron="fused-fp32")),
        ("BN reads its input (once, twice)", replace(usual, norm_passes=1), usual),
        of_device("L2 share", device.l2_share, lambda v: replace(device, l2_share=v)),
        of_device("dirty share", _DIRTY, lambda v: replace(device, dirty_share=v.value)),
        of_device(
            "DRAM efficiency", device.dram_efficiency, lambda v: replace(device, dram_efficiency=v)
        ),
        of_device(
            "conv efficiency",
            conv["amp"],
            lambda v: replace(device, conv_efficiency={**conv, "amp": v}),
        ),
        of_device(
            "DRAM pJ/bit", device.dram_pj_per_bit, lambda v: replace(device, dram_pj_per_bit=v)
        ),
        of_device("idle power", device.idle_w, lambda v: replace(device, idle_w=v)),
        of_all("launch interval", assumed.dispatch_s, lambda v: replace(assumed, dispatch_s=v)),
        of_all("arithmetic", assumed.arithmetic, lambda v: replace(assumed, arithmetic=v)),
        of_all("L2 pJ/bit", assumed.l2_pj_per_bit, lambda v: replace(assumed, l2_pj_per_bit=v)),
    ]


_Named = tuple[str, AssumptionCase, AssumptionCase]
