"""baseline: one training step of a job on a GPU, with the conditions the figures hold under."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.gpu.devices import Device, device
from analysis.gpu.kernels import ELEMENT_NBYTES, PLAIN_LIF_KERNELS, Kernel, training_step
from analysis.gpu.roofline import kernel_time_s, working_set_nbytes
from tlm.errors import ConfigError
from tlm.workload.model import Workload

NEURONS = ("fused", "plain")


@dataclass(frozen=True)
class GpuBaseline:
    """One training iteration (T steps, a batch of B) on a GPU: modelled, not measured.

    ``dram_nbytes`` are the compulsory bytes of all kernels; where the working set fits in the L2
    cache (``fits_in_l2``) they need not reach DRAM and must not be compared. ``energy_j_range``
    is (least, most), of the whole board. ``conditions`` must be shown wherever a figure is.
    """

    device: str
    kernels: tuple[Kernel, ...]
    time_s: float
    dram_nbytes: int
    working_set_nbytes: int
    fits_in_l2: bool
    energy_j_range: tuple[float, float]
    conditions: tuple[str, ...]


def baseline(
    workload: Workload, gpu: str = "A100", precision: str = "amp", neuron: str = "fused"
) -> GpuBaseline:
    """Model one training iteration of a job on a GPU, from its shapes alone.

    Args:
        workload: the job.
        gpu: a name in ``analysis.gpu.devices.DEVICES``.
        precision: ``amp`` (FP16 tensors, FP32 optimizer) or ``fp32``.
        neuron: ``fused`` (one LIF kernel over all steps) or ``plain`` (elementwise kernels).

    Raises:
        ConfigError: an unknown GPU, precision or neuron kernel.
    """
    _check("GPU precision", precision, tuple(ELEMENT_NBYTES))
    _check("GPU neuron kernel", neuron, NEURONS)
    chosen = device(gpu)
    kernels = training_step(workload, precision, neuron)
    working_set = working_set_nbytes(workload, precision)
    fits = working_set <= chosen.l2_nbytes
    time_s = sum(kernel_time_s(kernel, chosen, precision, in_l2=fits) for kernel in kernels)
    dram_nbytes = sum(kernel.nbytes for kernel in kernels)
    return GpuBaseline(
        device=chosen.name,
        kernels=kernels,
        time_s=time_s,
        dram_nbytes=dram_nbytes,
        working_set_nbytes=working_set,
        fits_in_l2=fits,
        energy_j_range=_energy_j(chosen, time_s, 0 if fits else dram_nbytes),
        conditions=_conditions(chosen, workload, precision, neuron, working_set, len(kernels)),
    )


def _check(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")


def _energy_j(device: Device, time_s: float, dram_nbytes: int) -> tuple[float, float]:
    """Least: HBM accesses and static power, no arithmetic. Most: the board busy all the time."""
    least = 8e-12 * dram_nbytes * device.dram_pj_per_bit + device.static_w * time_s
    return least, device.busy_w * time_s


def _conditions(
    device: Device,
    workload: Workload,
    precision: str,
    neuron: str,
    working_set: int,
    launches: int,
) -> tuple[str, ...]:
    precisions = {"amp": "FP16 tensors, FP32 optimizer", "fp32": "FP32 without TF32"}
    neurons = {
        "fused": "one fused LIF kernel over all steps",
        "plain": f"{PLAIN_LIF_KERNELS} elementwise LIF kernels a step (assumed)",
    }
    lines = [
        f"{device.name}, modelled by roofline, not measured",
        f"one iteration, batch {workload.batch}, T = {workload.steps}; {precisions[precision]}; "
        f"{neurons[neuron]}; spikes stored as {ELEMENT_NBYTES[precision]}-byte numbers",
        "bytes are compulsory ones, every tensor once a kernel; dense, no use of sparsity",
        f"{launches} kernels at a floor of {device.kernel_floor_s * 1e6:g} us (assumed); "
        f"{device.dram_efficiency:.0%} of DRAM bandwidth, {device.gemm_efficiency:.0%} (linear) "
        f"and {device.conv_efficiency:.0%} (conv) of peak at any size: small layers run slower",
        f"energy from {device.dram_pj_per_bit:g} pJ/bit of DRAM plus {device.static_w:g} W static, "
        f"no arithmetic, to {device.busy_w:g} W all the time (V100 powers, assumed); without host",
    ]
    if working_set <= device.l2_nbytes:
        lines.append(
            f"the working set, {working_set / 1e6:.3g} MB, fits in the {device.l2_nbytes / 1e6:g} "
            "MB L2: the DRAM comparison is not applicable, DRAM energy counts from 0, time is at "
            f"{device.l2_bytes_s / 1e9:g} GB/s of L2"
        )
    return tuple(lines)
