"""The text of ``python -m tlm gpu``: one step on one GPU, its kernels, and runs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tlm.errors import ConfigError
from tlm.quantity_text import energy_text
from tlm_analysis.gpu.baseline import GpuBaseline, network_baseline
from tlm_analysis.gpu.comparison.chip_run import ChipRun, chip_run, counted_dram_nbytes
from tlm_analysis.gpu.comparison.compare import ratio_lines
from tlm_analysis.gpu.device.devices import device
from tlm_analysis.gpu.step.network import NetworkShapes

_NAME_WIDTH = 37  # of 80 columns, beside four figures


def screen(
    network: NetworkShapes,
    gpu: str,
    precision: str,
    neuron: str,
    run_dirs: Sequence[Path],
    top: int,
) -> str:
    """A training step, or inference, on a GPU as text; the conditions end it.

    Raises:
        ConfigError: an unknown GPU, or a run of another job.
    """
    step = network_baseline(network, device(gpu), precision, neuron)
    runs = _runs_of(network, run_dirs)
    lines = [*_figures(network, step), *_kernels(step, top), *_compared(network, step, runs)]
    return "\n".join([*lines, "", "Conditions", *(f"  {line}" for line in step.conditions)])


def figures(
    network: NetworkShapes, gpu: str, precision: str, neuron: str, run_dirs: Sequence[Path]
) -> dict[str, Any]:
    """The same as plain figures: s, J, bytes and FLOP, kernels in the order they run.

    Raises:
        ConfigError: an unknown GPU, or a run of another job.
    """
    step = network_baseline(network, device(gpu), precision, neuron)
    runs = _runs_of(network, run_dirs)
    return {
        "network": network.name,
        "device": step.device,
        "precision": step.precision,
        "neuron": step.neuron,
        "time_s": step.time_s,
        "time_s_range": list(step.time_s_range),
        "energy_j_range": list(step.energy_j_range),
        "dram_nbytes": step.dram_nbytes,
        "l2_nbytes": step.l2_nbytes,
        "peak_nbytes": step.peak_nbytes,
        "fits_in_l2": step.fits_in_l2,
        "kernels": _kernel_figures(step),
        "runs": [
            {"kind": run.kind, "time_s": run.time_s, "energy_j": run.energy_j,
             "dram_nbytes": run.dram_nbytes}
            for run in runs
        ],
        "conditions": list(step.conditions),
    }  # fmt: skip


def _kernel_figures(step: GpuBaseline) -> list[dict[str, Any]]:
    return [
        {
            "name": kernel.name,
            "time_s": time_s,
            "dram_nbytes": moved.dram_nbytes,
            "l2_nbytes": moved.l2_nbytes,
            "flop": kernel.flop,
        }
        for kernel, moved, time_s in zip(step.kernels, step.traffic, step.times_s, strict=True)
    ]


def _runs_of(network: NetworkShapes, run_dirs: Sequence[Path]) -> list[ChipRun]:
    runs = [chip_run(folder) for folder in run_dirs]
    for folder, run in zip(run_dirs, runs, strict=True):
        if run.mode != network.mode:
            raise ConfigError(f"{folder}: expected a run of {network.mode}, it is of {run.mode}")
        if run.workload != network.name:
            raise ConfigError(
                f"{folder}: expected a run of {network.name}, it is of {run.workload}"
            )
        if run.same_job(network) != network:
            ran = f"{network.name}[B={run.batch},T={run.steps}]:dense"
            job = f"name the job that ran, such as '{ran}'"
            remedy = job if network.learns else f"give --batch {run.batch}"
            raise ConfigError(
                f"{folder}: expected B={network.batch} T={network.steps}, the run has "
                f"B={run.batch} T={run.steps}; {remedy}"
            )
    return runs


def _joules(energy_j: float) -> str:
    return energy_text(1e12 * energy_j)


def _figures(network: NetworkShapes, step: GpuBaseline) -> list[str]:
    low, high = step.energy_j_range
    shortest, longest = step.time_s_range
    energy, unit = step.energy, "iteration" if network.learns else "batch of inference"
    parts = ", ".join(
        f"{name} {_joules(part.least)} to {_joules(part.most)}"
        for name, part in (
            ("arithmetic", energy.compute),
            ("L2", energy.l2),
            ("DRAM", energy.dram),
            ("idle", energy.idle),
        )
    )
    return [
        f"{network.name}, B={network.batch} T={network.steps}, on {step.device}: "
        f"{step.precision}, {step.neuron}; modelled, not measured",
        f"{1e6 * step.time_s:,.0f} us per {unit} ({1e6 * shortest:,.0f} to "
        f"{1e6 * longest:,.0f}), {len(step.kernels)} kernels",
        f"{_joules(low)} to {_joules(high)} per {unit} ({parts})",
        f"DRAM {step.dram_nbytes / 1e6:,.1f} MB ({step.compulsory_nbytes / 1e6:,.1f} MB if "
        f"nothing stayed in L2), L2 {step.l2_nbytes / 1e6:,.1f} MB, "
        f"peak memory {step.peak_nbytes / 2**20:,.1f} MiB",
    ]


def _kernels(step: GpuBaseline, top: int) -> list[str]:
    if top == 0:
        return []
    rows = sorted(
        zip(step.kernels, step.traffic, step.times_s, strict=True), key=lambda row: -row[2]
    )
    lines = [
        "",
        f"{'longest kernels':{_NAME_WIDTH}} {'us':>9} {'DRAM MB':>10} {'L2 MB':>10} {'GFLOP':>9}",
    ]
    lines += [
        f"{_name(kernel.name)} {1e6 * time_s:9.1f} {moved.dram_nbytes / 1e6:10.2f} "
        f"{moved.l2_nbytes / 1e6:10.2f} {kernel.flop / 1e9:9.3f}"
        for kernel, moved, time_s in rows[:top]
    ]
    return lines


def _name(name: str) -> str:
    """A kernel's name in its column: of a long one the end, which says what it does."""
    cut = name if len(name) <= _NAME_WIDTH else f"..{name[2 - _NAME_WIDTH :]}"
    return f"{cut:{_NAME_WIDTH}}"


def _compared(network: NetworkShapes, step: GpuBaseline, runs: Sequence[ChipRun]) -> list[str]:
    lines = ["", *ratio_lines(step, runs)] if runs else []
    if step.fits_in_l2:
        return lines
    if runs:
        return lines + [
            f"chip {run.chip}, {run.kind}: {run.dram_nbytes / 1e6:,.1f} MB of DRAM, "
            f"{1 - run.dram_nbytes / step.dram_nbytes:.0%} less than the GPU"
            for run in runs
        ]
    if not network.learns:
        return lines
    count = counted_dram_nbytes(network)
    return [
        "",
        f"a chip counted by element (assumed, not simulated): {count.least / 1e6:,.0f} to "
        f"{count.most / 1e6:,.0f} MB of DRAM, {1 - count.most / step.dram_nbytes:.0%} to "
        f"{1 - count.least / step.dram_nbytes:.0%} less than the GPU",
    ]
