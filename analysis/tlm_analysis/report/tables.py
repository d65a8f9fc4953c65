"""The tables of a report, as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.config.layers import LoadedChip
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm.trace.dram_classes import BOUND_HEADS, CLASS_HEADS, bound_rows, class_rows
from tlm.trace.summary import Summary
from tlm_analysis.gpu import GpuBaseline
from tlm_analysis.reading.run_dir import RunDir

TableRow = tuple[str, ...]
ReportTable = list[TableRow]


@dataclass(frozen=True)
class Titled:
    """A table with a caption and column heads.

    The first column is text, and the last ``texts`` ones; the others are figures.
    """

    caption: str
    heads: TableRow
    rows: Sequence[TableRow]
    texts: int = 0


def headline(summary: Summary) -> ReportTable:
    """(what, figure) of the run in a handful of lines."""
    time, energy, work = summary.time, summary.energy, summary.workload
    dram = summary.dram
    dense = summary.efficiency.dense_equivalent_tflops_w
    slots = summary.efficiency.slot_tflops_w
    useful = summary.efficiency.effective_tflops_w
    return [
        (f"Time per {work.unit}", time_text(time.makespan_ps)),
        ("Time per sample", time_text(time.per_sample_ps)),
        (f"Energy per {work.unit}", energy_text(energy.total_pj)),
        ("Energy per sample", energy_text(energy.total_pj / work.batch)),
        ("Average power", f"{energy.total_pj / time.makespan_ps:.3g} W"),
        ("TFLOPS/W, dense-equivalent", f"{dense.core:.3f} core, {dense.chip:.3f} chip"),
        ("TFLOPS/W, array slots as published", f"{slots.core:.3f} core, {slots.chip:.3f} chip"),
        ("TFLOPS/W, effective", f"{useful.core:.3f} core, {useful.chip:.3f} chip"),
        ("DRAM traffic", f"{nbytes_text(dram.nbytes)}, {dram.bandwidth_gb_s:.2f} of "
                         f"{dram.peak_gb_s:.1f} GB/s"),
    ]  # fmt: skip


def phases(summary: Summary) -> Titled:
    """When each phase ran and how much it computed, in order of their beginnings."""
    phases_ps = summary.time.phases
    rows = [
        (
            phase.upper(),
            time_text(row.begin_ps),
            time_text(row.end_ps),
            str(row.cores),
            time_text(row.computing_ps / max(1, row.cores)),
        )
        for phase, row in sorted(phases_ps.items(), key=lambda item: item[1].begin_ps)
    ]
    return Titled("Time by phase", ("phase", "from", "to", "cores", "mean computing"), rows)


def bounds(summary: Summary) -> Titled:
    """Times that no run of this mapping can beat, beside the run's."""
    makespan = summary.time.makespan_ps
    rows = [
        (name, time_text(bound), f"{bound / makespan:.1%}")
        for name, bound in summary.lower_bounds_ps.items()
    ]
    return Titled("Lower bounds", ("if only it counted", "time", "of the run"), rows)


def dram_classes(summary: Summary) -> Titled:
    """DRAM bytes by class of tensor, beside what V1 moves."""
    return Titled("DRAM bytes by tensor", CLASS_HEADS, class_rows(summary.dram))


def dram_bounds(summary: Summary) -> Titled:
    """All DRAM bytes beside every bound."""
    return Titled("DRAM bytes beside bounds", BOUND_HEADS, bound_rows(summary.dram))


def busiest(summary: Summary) -> Titled:
    """The busiest resource of each kind."""
    rows = [(row.resource, f"{row.use:.1%}") for row in summary.busiest]
    return Titled("Busiest resources", ("resource", "busy"), rows)


def gpu(summary: Summary, baseline: GpuBaseline) -> Titled:
    """The same step on a GPU, modelled."""
    time_ps, energy_pj = summary.time.makespan_ps, summary.energy.total_pj
    low, high = (1e12 * joule for joule in baseline.energy_j_range)
    first, last = (1e12 * second for second in baseline.time_s_range)
    chip_nbytes, unit = summary.dram.nbytes, summary.workload.unit
    rows: ReportTable = [
        (f"time per {unit}", time_text(time_ps), f"{time_text(first)} to {time_text(last)}",
         f"{first / time_ps:.2f} to {last / time_ps:.2f}"),
        (f"energy per {unit}", energy_text(energy_pj),
         f"{energy_text(low)} to {energy_text(high)}",
         f"{low / energy_pj:.1f} to {high / energy_pj:.1f}"),
    ]  # fmt: skip
    if baseline.fits_in_l2:
        rows.append(("DRAM traffic", nbytes_text(chip_nbytes), "all fits in L2", "not applicable"))
    else:
        rows.append(
            ("DRAM traffic", nbytes_text(chip_nbytes), nbytes_text(baseline.dram_nbytes),
             f"{baseline.dram_nbytes / chip_nbytes:.2f}")
        )  # fmt: skip
    heads = ("", "this chip", baseline.device, "GPU over chip")
    return Titled(f"{baseline.device} doing the same step", heads, rows)


def assumed_values(run: RunDir, chip: LoadedChip) -> Titled:
    """Every value of the chip that no publication states."""
    why = chip.assumed | dict.fromkeys(chip.unsourced, "unsourced: nobody says where it is from")
    rows = [(key, run.config.get(key, ""), why[key]) for key in sorted(why)]
    return Titled("Assumed and unsourced chip values", ("value", "is", "why"), rows, 1)


def assumed_energy(run: RunDir) -> Titled:
    """Energy coefficients and leakage powers that are assumed, by their share of the energy."""
    energy = run.energy
    shares: dict[tuple[str, str, float], float] = {}
    for i in (energy.confidence == "assumed").nonzero()[0]:
        key = (str(energy.component[i]), str(energy.action[i]), float(energy.pj_each[i]))
        shares[key] = shares.get(key, 0.0) + float(energy.total_pj[i])
    total = float(energy.total_pj.sum()) or 1.0
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        (f"{component}.{action}", _each(action, each), f"{pj / total:.1%}")
        for (component, action, each), pj in ranked
        if pj
    ]
    return Titled("Assumed energy coefficients", ("action", "each", "of all energy"), rows)


def _each(action: str, pj_each: float) -> str:
    """An energy; of leakage, which is counted in ps, a power (1 pJ per ps is 1 W)."""
    return f"{1e3 * pj_each:.4g} mW" if action == LEAKAGE else f"{pj_each:.4g} pJ"
