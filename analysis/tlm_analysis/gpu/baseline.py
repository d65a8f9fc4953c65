"""baseline: one training step of a job on a GPU, with the conditions the figures hold under."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import ConfigError
from tlm.trace.summary import JobPart
from tlm.workload.model import Workload
from tlm_analysis.gpu.cost import KernelEnergy, kernel_time_s, step_energy, time_ends_s
from tlm_analysis.gpu.device.assumptions import USUAL, Assumptions
from tlm_analysis.gpu.device.devices import PRECISIONS, Device, Range, device
from tlm_analysis.gpu.memory.traffic import KernelTraffic, step_traffic
from tlm_analysis.gpu.step.draft import ELEMENT_NBYTES
from tlm_analysis.gpu.step.kernel import Kernel
from tlm_analysis.gpu.step.network import NetworkShapes
from tlm_analysis.gpu.step.neuron import NEURONS
from tlm_analysis.gpu.step.norm import NORM_PASSES
from tlm_analysis.gpu.step.recorded import network_of
from tlm_analysis.gpu.step.training_step import training_step


@dataclass(frozen=True)
class GpuBaseline:
    """One training iteration (T steps, a batch of B) on a GPU: modelled, not measured.

    ``dram_nbytes`` is the traffic of the steady state; where all tensors alive at the peak
    (``peak_nbytes``) fit in the L2 cache (``fits_in_l2``) it must not be compared.
    ``time_s_range`` is (least, most) as efficiencies and overheads go to their ends.
    ``compulsory_nbytes`` counts every tensor once per kernel. ``energy_j_range`` is (least, most),
    of the board without the host. ``conditions`` must be shown wherever a figure is.
    """

    device: str
    precision: str
    neuron: str
    kernels: tuple[Kernel, ...]
    traffic: tuple[KernelTraffic, ...]
    times_s: tuple[float, ...]
    time_s: float
    time_s_range: tuple[float, float]
    dram_nbytes: int
    compulsory_nbytes: int
    peak_nbytes: int
    fits_in_l2: bool
    energy: KernelEnergy
    conditions: tuple[str, ...]

    @property
    def energy_j_range(self) -> tuple[float, float]:
        """Least and most energy, J."""
        return self.energy.total.least, self.energy.total.most

    def conditions_beside(self, ran: JobPart) -> tuple[str, ...]:
        """All that holds beside a run of the chip, whose samples may have stopped early."""
        if ran.steps_run is None:
            return self.conditions
        return (f"the GPU runs all {ran.steps} steps of every sample", *self.conditions)

    @property
    def l2_nbytes(self) -> int:
        """Bytes between L2 and the multiprocessors."""
        return sum(traffic.l2_nbytes for traffic in self.traffic)


def baseline(
    workload: Workload, gpu: str = "A100", precision: str = "amp", neuron: str = "fused"
) -> GpuBaseline:
    """Model one training iteration of a job on a GPU, from its shapes alone.

    Args:
        workload: the job.
        gpu: a name in ``tlm_analysis.gpu.device.devices.DEVICES``.
        precision: ``amp`` (FP16 tensors, FP32 optimizer), ``tf32`` or ``fp32``.
        neuron: ``fused`` (one LIF kernel over all steps), ``fused-fp32`` and ``cupy`` (the same,
            moving more) or ``unfused`` (elementwise kernels per step).

    Raises:
        ConfigError: an unknown GPU, precision or neuron kernel.
    """
    return network_baseline(network_of(workload), device(gpu), precision, neuron)


def network_baseline(
    network: NetworkShapes,
    chosen: Device,
    precision: str = "amp",
    neuron: str = "fused",
    assumptions: Assumptions = USUAL,
    norm_passes: int = NORM_PASSES,
) -> GpuBaseline:
    """The same for a network's shapes and a device, with assumptions to vary.

    Raises:
        ConfigError: an unknown precision or neuron kernel.
    """
    _check("GPU precision", precision, PRECISIONS)
    _check("GPU neuron kernel", neuron, NEURONS)
    kernels = training_step(network, precision, neuron, norm_passes)
    step = step_traffic(kernels, chosen)
    times = tuple(
        kernel_time_s(kernel, traffic, chosen, precision, assumptions)
        for kernel, traffic in zip(kernels, step.kernels, strict=True)
    )
    shortest, longest = time_ends_s(kernels, step.kernels, chosen, precision, assumptions)
    time_s = Range(shortest, sum(times), longest)
    return GpuBaseline(
        device=chosen.name,
        precision=precision,
        neuron=neuron,
        kernels=kernels,
        traffic=step.kernels,
        times_s=times,
        time_s=time_s.value,
        time_s_range=(shortest, longest),
        dram_nbytes=sum(traffic.dram_nbytes for traffic in step.kernels),
        compulsory_nbytes=sum(kernel.nbytes for kernel in kernels),
        peak_nbytes=step.peak_nbytes,
        fits_in_l2=step.peak_nbytes <= chosen.l2_nbytes * chosen.l2_share.value,
        energy=step_energy(kernels, step.kernels, time_s, chosen, precision, assumptions),
        conditions=_conditions(chosen, network, precision, neuron, step.peak_nbytes, assumptions),
    )


def _check(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")


_PRECISION_TEXT = {
    "amp": "FP16 tensors, FP32 optimizer (AMP)",
    "tf32": "FP32 tensors, TF32 products",
    "fp32": "FP32 without TF32",
}
_NEURON_TEXT = {
    "fused": "one fused LIF kernel over all steps",
    "fused-fp32": "SpikingJelly 2.0's fused LIF kernel, which keeps the membrane in FP32",
    "cupy": "SpikingJelly's CuPy LIF kernel, with the tensors it clears and copies",
    "unfused": "elementwise LIF kernels per step, as PyTorch runs them without fusion",
}


def _conditions(
    device: Device,
    network: NetworkShapes,
    precision: str,
    neuron: str,
    peak_nbytes: int,
    assumptions: Assumptions,
) -> tuple[str, ...]:
    dispatch, ramp = assumptions.dispatch_s, assumptions.ramp_s
    doing, formats = "one iteration", _PRECISION_TEXT[precision]
    if not network.learns:
        doing, formats = "inference", formats.replace(", FP32 optimizer (AMP)", "")
    lines = [
        f"{device.name}, modelled kernel by kernel, not measured",
        f"{doing}, batch {network.batch}, T = {network.steps}; {formats}; "
        f"{_NEURON_TEXT[neuron]}; spikes stored as {ELEMENT_NBYTES[precision]}-byte numbers; "
        "dense, no use of sparsity",
        f"DRAM bytes by an LRU model of {device.l2_nbytes / 2**20:.3g} MiB of L2 carried from "
        "kernel to kernel (V100 kernels within 5 %; on other devices assumed)",
        f"time from {device.dram_efficiency.value:.0%} of DRAM bandwidth, "
        f"{device.gemm_efficiency.value:.0%} (linear) and "
        f"{device.conv_efficiency[precision].value:.0%} (conv) of peak, {ramp.value * 1e6:g} us "
        f"per kernel and {dispatch.value * 1e6:g} us per launch (assumed, "
        f"{dispatch.least * 1e6:g} to {dispatch.most * 1e6:g})",
        f"energy of the board without host: {device.dram_pj_per_bit.least:g} to "
        f"{device.dram_pj_per_bit.most:g} pJ/bit of DRAM, {assumptions.l2_pj_per_bit.least:g} to "
        f"{assumptions.l2_pj_per_bit.most:g} of L2, {device.idle_w.least:g} to "
        f"{device.idle_w.most:g} W idle (assumed), arithmetic up to the board's limit",
    ]
    if peak_nbytes <= device.l2_nbytes * device.l2_share.value:
        lines.append(
            f"all tensors alive, {peak_nbytes / 1e6:.3g} MB at most, fit in the "
            f"{device.l2_nbytes / 2**20:.3g} MiB L2: the DRAM comparison is not applicable"
        )
    return tuple(lines)
