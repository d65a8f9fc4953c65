"""The head of the terminal summary: the verdict of the laws, the job, its time and its energy."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.text import Text

from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm.trace.summary import Summary, SynapticPart, WeightsPart


def verdict(summary: Summary) -> Text:
    """Whether the laws hold; then what was run, how long it took and what it cost."""
    work, time, energy = summary.workload, summary.time, summary.energy
    power = energy.total_pj / time.makespan_ps
    text = Text()
    if summary.ok:
        text.append(f"OK  {summary.checks} checks hold", style="bold green")
    else:
        text.append("INVALID  do not use these figures", style="bold red")
        for name, detail in summary.broken.items():
            text.append(f"\n    {name}: {detail}", style="red")
    for warning in summary.warnings:
        text.append(f"\n    odd: {warning}", style="yellow")
    doing = f"iteration {work.iteration}" if work.mode == "training" else "inference"
    text.append(
        f"\n{work.name} {doing}, B={work.batch} T={work.steps}, "
        f"on {summary.chip.name} ({summary.chip.cores} cores), modelled, not measured\n"
    )
    if work.steps_run is not None:
        text.append(_stopped(work.steps_run))
    if work.activity != "recorded":
        drawn = not work.activity.startswith("recorded")
        remark = "masks were drawn, not recorded" if drawn else "its samples and steps repeat"
        text.append(f"{work.activity}: {remark}\n", style="bold yellow")
    if summary.weights is not None:
        text.append(_weights(summary.weights), style="bold yellow")
    text.append(
        f"{time_text(time.makespan_ps)} per {work.unit}, {time_text(time.per_sample_ps)} per "
        f"sample;  {energy_text(energy.total_pj)} per {work.unit}, "
        f"{energy_text(energy.total_pj / work.batch)} per sample;  {power:.3g} W average\n",
        style="bold",
    )
    text.append(_synaptic(summary.synaptic))
    return text


def _stopped(steps_run: Sequence[int]) -> str:
    """After how many steps samples were decided."""
    least, most, mean = min(steps_run), max(steps_run), sum(steps_run) / len(steps_run)
    counted = f"{least} to {most} steps, {mean:.3g} on average"
    if least == most:
        counted = "1 step" if most == 1 else f"{most} steps"
    return f"each sample until its first output spike: {counted}\n"


def _synaptic(synaptic: SynapticPart) -> str:
    """Synaptic operations of FP and the energy of each; none where all inputs are values."""
    core, chip = synaptic.core_pj_per_operation, synaptic.chip_pj_per_operation
    if core is None or chip is None:
        return "no synaptic operation: no layer reads spikes\n"
    return (
        f"FP: {synaptic.operations:,} synaptic operations, {energy_text(core)} each in the cores, "
        f"{energy_text(chip)} with network, DRAM and leakage\n"
    )


def _weights(weights: WeightsPart) -> str:
    """How many weights there are, and how they are stored."""
    pruned = ""
    if weights.rule != "dense":
        pruned = "; masks of activity are those with all weights"
    organisations = ", ".join(dict.fromkeys(weights.organisations.values()))
    nbytes = nbytes_text(-(-sum(weights.bits.values()) // 8))
    return (
        f"weights {weights.rule}: {_range(weights.kept.values())} of a layer's are not zero, "
        f"{nbytes} as {organisations}{pruned}\n"
    )


def _range(shares: Collection[float]) -> str:
    """The smallest and the largest share."""
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return low if low == high else f"{low} to {high}"
