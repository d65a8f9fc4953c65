"""The terminal summary: one screen that says what happened, why, and what it rests on."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Group
from rich.text import Text

from tlm.cli.tables import Beside, ScreenTable, console
from tlm.cli.verdict import verdict
from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm.space.phase import ENGINES
from tlm.trace.dram_classes import BOUND_HEADS, CLASS_HEADS, bound_rows, class_rows
from tlm.trace.summary import AwaitedWork, Summary
from tlm.trace.summary_file import as_json

if TYPE_CHECKING:
    from tlm.config.layers import LoadedChip
    from tlm.running.cost import SimulationCost

_NETWORKS = {
    "ideal": "ideal NoC, links never busy",
    "packet": "packet NoC with unbounded buffers",
    "router": "router NoC",
}

_STATES = {
    "compute": "compute",
    "dependency": "dependency",
    "dram": "dram",
    "noc": "noc",
    "writeback": "writeback",
    "not_begun": "not begun",
    "idle": "idle",
    "unaccounted": "other",
}


class Finished(Protocol):
    """What the screen shows: a run just made, or one opened again."""

    @property
    def folder(self) -> Path: ...
    @property
    def summary(self) -> Summary: ...
    @property
    def chip(self) -> LoadedChip: ...
    @property
    def cost(self) -> SimulationCost: ...
    @property
    def ok(self) -> bool: ...


def show(result: Finished, baseline: Any = None) -> None:
    """Print the summary of a run; ``baseline`` is the GPU baseline beside it, if there is one."""
    console().print(screen(result, baseline))


def figures(result: Finished, baseline: Any) -> dict[str, Any]:
    """The summary with the run's folder, its cost and the GPU baseline, as plain values."""
    return {
        "folder": str(result.folder),
        "cost": asdict(result.cost),
        "summary": as_json(result.summary),
        "gpu": None
        if baseline is None
        else {
            "device": baseline.device,
            "time_s": baseline.time_s,
            "time_s_range": list(baseline.time_s_range),
            "energy_j_range": list(baseline.energy_j_range),
            "dram_nbytes": baseline.dram_nbytes,
            "fits_in_l2": baseline.fits_in_l2,
            "conditions": list(baseline.conditions_beside(result.summary.workload)),
        },
    }


def screen(result: Finished, baseline: Any = None) -> Group:
    """The summary as renderables, for a screen of any width."""
    summary = result.summary
    parts: list[Any] = [
        verdict(summary),
        Beside(_time(summary), *_energy(summary)),
        Beside(_engines(summary), _efficiency(summary)),
        Beside(_sparsity(summary)),
        Beside(*_dram_bytes(summary)),
        _fabric(summary),
        Beside(_busiest(summary), stalls(summary)),
        Text(
            "Busy is not yet slow: one run names no bottleneck. What to change, and what it gains, "
            f"says\npython -m tlm explain {shlex.quote(str(result.folder))}\n"
        ),
    ]
    if baseline is not None:
        parts.append(_gpu(summary, baseline))
    parts.append(_footer(result))
    return Group(*parts)


def _time(summary: Summary) -> ScreenTable:
    table = ScreenTable("Time by phase", "phase", "from", "to", "cores", "mean computing")
    for phase, row in summary.time.phases.items():
        engines = row.cores or 1
        table.add_row(
            phase.upper(),
            time_text(row.begin_ps),
            time_text(row.end_ps),
            str(row.cores),
            time_text(row.computing_ps / engines),
        )
    return table


def _energy(summary: Summary) -> list[ScreenTable]:
    """By component with leakage; by phase and by layer without."""
    energy = summary.energy
    whole = ScreenTable("Energy", "component", "uJ", "share")
    components = [*energy.by_component_pj.items(), ("leakage", energy.leakage_pj)]
    for name, pj in sorted(components, key=lambda item: -item[1]):
        whole.add_row(name, _micro(pj), f"{pj / energy.total_pj:.1%}")
    layers = {str(i): name for i, name in enumerate(summary.work)}
    by_phase, by_layer = (
        ScreenTable("by phase", "phase", "uJ"),
        ScreenTable("by layer", "layer", "uJ"),
    )
    for phase, pj in energy.by_phase_pj.items():
        if pj:
            by_phase.add_row(phase or "no phase", _micro(pj))
    for layer, pj in energy.by_layer_pj.items():
        if pj:
            by_layer.add_row(layers.get(layer, "no layer"), _micro(pj))
    return [whole, by_phase, by_layer]


def _micro(value_pj: float) -> str:
    return f"{value_pj / 1e6:,.1f}"


def _engines(summary: Summary) -> ScreenTable:
    table = ScreenTable("Where engine time went (all cores)", "engine", *_STATES.values(), "cores")
    for engine, row in summary.engines.items():
        if engine not in _engines_of(summary):
            continue
        shares = [f"{abs(row.shares[state]):.1%}" for state in _STATES]
        table.add_row(engine.upper(), *shares, str(row.cores_computing))
    return table


def _engines_of(summary: Summary) -> tuple[str, ...]:
    """The engines that have anything to do in a run."""
    return ENGINES if summary.workload.mode == "training" else ENGINES[:1]


def _efficiency(summary: Summary) -> ScreenTable:
    table = ScreenTable("TFLOPS/W", "FLOP counted", "core", "chip")
    efficiency = summary.efficiency
    for name, watts in (
        ("dense-equivalent", efficiency.dense_equivalent_tflops_w),
        ("array slots, as published", efficiency.slot_tflops_w),
        ("effective", efficiency.effective_tflops_w),
    ):
        table.add_row(name, f"{watts.core:.3f}", f"{watts.chip:.3f}")
    return table


def _sparsity(summary: Summary) -> ScreenTable:
    learns = summary.workload.mode == "training"
    gradients = ("m", "dU", "zero slices") if learns else ()
    engines = _engines_of(summary)
    table = ScreenTable(
        "Measured density, mean over steps; slots executed of dense",
        *("layer", "S", *gradients, "split k x b x rows", *map(str.upper, engines)),
    )
    for name, row in summary.sparsity.layers.items():
        measured = (row.S, row.m, row.dU) if learns else (row.S,)
        means = [f"{sum(shares) / len(shares):.1%}" if shares else "-" for shares in measured]
        means += [f"{row.zero_slices:.1%}"] * learns
        split = summary.chip.splits[name]
        work = summary.work[name]
        executed = [
            f"{work[phase].executed_slots / work[phase].slots:.1%}"
            if phase in work and work[phase].slots
            else "-"
            for phase in engines
        ]
        cores = "1 core" if split.cores == 1 else f"{split.cores} cores"
        cut = f"{split.k} x {split.batch} x {split.spatial} = {cores}"
        table.add_row(name, *means, cut, *executed)
    return table


def _dram_bytes(summary: Summary) -> list[ScreenTable]:
    """By class of tensor beside V1; all of them beside every bound."""
    by_class = ScreenTable("DRAM bytes by tensor", *CLASS_HEADS)
    for row in class_rows(summary.dram):
        by_class.add_row(*row)
    bounds = ScreenTable("beside bounds", *BOUND_HEADS)
    for row in bound_rows(summary.dram):
        bounds.add_row(*row)
    return [by_class, bounds]


def _fabric(summary: Summary) -> Text:
    dram, noc = summary.dram, summary.noc
    use = dram.bandwidth_gb_s / dram.peak_gb_s
    hits = f", row hits {dram.commands.row_hit_rate:.1%}" if dram.commands else ""
    return Text.assemble(
        ("DRAM ", "bold"),
        f"{dram.channels} x {dram.device} ({summary.chip.dram_model}): "
        f"{nbytes_text(dram.nbytes)} ({nbytes_text(dram.bytes_read)} read, "
        f"{nbytes_text(dram.bytes_written)} written), {dram.bandwidth_gb_s:.2f} of "
        f"{dram.peak_gb_s:.1f} GB/s ({use:.1%}){hits}\n",
        ("NoC  ", "bold"),
        f"({summary.chip.noc_model}) {noc.transactions:,} transactions, core to core "
        f"{nbytes_text(noc.message_bytes)}, busiest link {noc.busiest_link} "
        f"{noc.busiest_link_use:.1%}\n",
    )


def _busiest(summary: Summary) -> ScreenTable:
    table = ScreenTable("Busiest resources", "resource", "busy")
    for row in summary.busiest[:3]:
        table.add_row(row.resource, f"{row.use:.1%}")
    return table


def stalls(summary: Summary, rows: int | None = 3, works: int | None = 1) -> ScreenTable:
    """The largest stalls; of a dependency the ``works`` that were waited for longest."""
    table = ScreenTable(
        "Largest stalls, share of all engines' time",
        *("engine at", "share", "waits for", "longest for"),
        prose=("longest for",),
    )
    for row in summary.stalls[:rows]:
        where = f"{row.phase.upper()} {row.layer}"
        awaited = "; ".join(map(_awaited, row.awaited[:works]))
        table.add_row(where, f"{row.share:.1%}", row.reason, awaited)
    return table


def _awaited(work: AwaitedWork) -> str:
    core = f"core {work.core} {work.core_share:.1%}"
    return f"{work.phase.upper()} {work.layer} {work.share:.1%} ({core})"


def _gpu(summary: Summary, baseline: Any) -> Text:
    """The GPU doing the same step; its conditions stand beside its figures."""
    time_ps, energy_pj = summary.time.makespan_ps, summary.energy.total_pj
    gpu_ps = baseline.time_s * 1e12
    low, high = (1e12 * joule for joule in baseline.energy_j_range)
    text = Text.assemble(
        ("Beside it ", "bold"),
        f"{baseline.device}, {len(baseline.kernels)} kernels: {time_text(gpu_ps)} "
        f"({gpu_ps / time_ps:.2f} x the chip), {energy_text(low)} to {energy_text(high)} "
        f"({low / energy_pj:.1f} to {high / energy_pj:.1f} x)",
    )
    if not baseline.fits_in_l2:
        more = summary.dram.nbytes / baseline.dram_nbytes - 1
        compared = f"{abs(more):.0%} {'more' if more > 0 else 'less'}"
        text.append(f", {nbytes_text(baseline.dram_nbytes)} of DRAM (the chip moves {compared})")
    text.append("\n" + "; ".join(baseline.conditions_beside(summary.workload)), style="dim")
    return text


def _footer(result: Finished) -> Text:
    cost = result.cost
    values, unsourced = f"{len(result.chip.assumed)} assumed", len(result.summary.chip.unsourced)
    if unsourced:
        values += f" and {unsourced} unsourced"
    share = result.summary.energy.assumed_share
    return Text.assemble(
        ("\nRests on ", "bold"),
        f"{values} chip values (config.resolved.yaml), {share:.0%} of energy from assumed "
        f"coefficients (energy.csv), {_NETWORKS[result.summary.chip.noc_model]}\n",
        ("Simulated ", "bold"),
        f"in {cost.total_wall_s:.1f} s ({cost.kernel} kernel, "
        f"{cost.transactions_per_s:,.0f} transactions/s, "
        f"{cost.peak_rss_mib:.0f} MiB); results in {result.folder}",
    )
