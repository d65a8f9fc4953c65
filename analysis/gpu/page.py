"""The page ``gpu-baseline.md``: the model against measurements, and the chip against the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from analysis.gpu.baseline import network_baseline
from analysis.gpu.chip import ChipRun, chip_run
from analysis.gpu.compare import BASELINES, CLAIM, Comparison, break_even_rate, compare, ratio_lines
from analysis.gpu.devices import A100, V100
from analysis.gpu.network import network_named
from analysis.gpu.page_text import (
    CHECKED,
    CLAIM_TEXT,
    INTRODUCTION,
    NOT_MODELLED,
    PUBLISHED,
    SENSITIVITY,
    TIME_AND_ENERGY,
)
from analysis.gpu.published import points
from analysis.gpu.sensitivity import Case, Swing, dram_reduction, energy, swings
from analysis.gpu.v100 import Case as V100Case
from analysis.gpu.v100 import cases, measured, predicted
from analysis.plots.canvas import save
from analysis.plots.gpu import reduction_figure, tornado_figure
from tlm.workload import bundled_names, bundled_networks

_MB = 1e6
_LARGE_ERROR = 0.25
_TORNADO_NETWORK = "s-resnet18"


def write_page(folder: Path, run_dirs: Sequence[Path]) -> Path:
    """Run every check and comparison; write the page and its plots into ``folder``.

    Runs of the chip, if given, stand beside the GPU for the job they ran. Takes minutes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = [chip_run(run_dir) for run_dir in run_dirs]
    compared = _comparisons(runs)
    page = folder / "gpu-baseline.md"
    parts = [
        INTRODUCTION,
        CHECKED,
        _v100_table(),
        NOT_MODELLED,
        PUBLISHED,
        _published_table(),
        CLAIM_TEXT,
        _claim_table(compared),
        "![DRAM bytes saved](plots/gpu-dram.png)",
        _verdict(compared),
        TIME_AND_ENERGY,
        _time_and_energy(runs),
        SENSITIVITY,
        _sensitivity(folder),
    ]
    save(reduction_figure(compared), folder, "gpu-dram")
    page.write_text("\n\n".join(part.strip("\n") for part in parts) + "\n", encoding="utf-8")
    return page


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _v100_table() -> str:
    reference = measured()
    rows = []
    for case in cases():
        found, real = predicted(case), reference[case.name]
        dram = found.dram_nbytes / _MB, real.dram_read_mb + real.dram_write_mb
        l2 = found.l2_nbytes / _MB, real.l2_read_mb + real.l2_write_mb
        rows.append(
            (
                case.name,
                case.source,
                f"{dram[0]:.2f} / {dram[1]:.2f}",
                f"{dram[0] / dram[1] - 1:+.1%}",
                f"{found.dram_write_nbytes / _MB:.2f} / {real.dram_write_mb:.2f}",
                f"{l2[0]:.2f} / {l2[1]:.2f}" if case.l2_read else "not claimed",
                f"{l2[0] / l2[1] - 1:+.1%}" if case.l2_read else "",
                _v100_standing(case),
            )
        )
    head = ("kernel", "sizes from", "DRAM MB", "error", "written MB", "L2 MB", "error", "standing")
    return _table(head, rows)


def _v100_standing(case: V100Case) -> str:
    """DRAM writes beyond what may stay dirty rest on the constant read off such kernels."""
    rests = case.kernel.write_nbytes > V100.dirty_share * V100.l2_nbytes
    return f"{case.standing}; DRAM writes calibrated" if rests else case.standing


def _published_table() -> str:
    rows = [
        (
            point.what,
            f"{point.predicted:.3g} {point.unit}",
            f"{point.published:.3g} {point.unit}",
            f"{point.error:+.1%}",
            _standing(point.standing, point.error),
            point.source,
        )
        for point in points()
    ]
    return _table(("point", "model", "published", "error", "standing", "source"), rows)


def _standing(standing: str, error: float) -> str:
    return "not reproduced" if abs(error) > _LARGE_ERROR else standing


def _comparisons(runs: Sequence[ChipRun]) -> list[Comparison]:
    """Every bundled job that was run, then the three networks known by their shapes."""
    compared: list[Comparison] = []
    for name in bundled_names():
        sparse = [run for run in runs if run.workload == name and run.modes == "sparse"]
        if sparse:
            compared += compare(network_named(name), sparse[0])
    for name in bundled_networks():
        compared += compare(network_named(name))
    return compared


def _claim_table(compared: Sequence[Comparison]) -> str:
    rows = []
    for one in compared:
        reduction = one.reduction
        low, high = one.chip_nbytes.least / _MB, one.chip_nbytes.most / _MB
        rows.append(
            (
                one.network,
                one.neuron,
                one.precision,
                f"{one.gpu.dram_nbytes / _MB:,.1f}",
                f"{low:,.1f}" if low == high else f"{low:,.0f} to {high:,.0f}",
                "simulated" if one.simulated else "counted (assumed)",
                "" if reduction is None else f"{reduction[0]:.0%} to {reduction[1]:.0%}",
                one.verdict,
            )
        )
    head = (
        "network",
        "neuron",
        "precision",
        "A100 DRAM MB",
        "chip DRAM MB",
        "chip by",
        "saved",
        f"against {CLAIM[0]:.0%} to {CLAIM[1]:.0%}",
    )
    return _table(head, rows)


def _verdict(compared: Sequence[Comparison]) -> str:
    """Under which baseline the claim holds, in words made of the table."""
    lines = []
    for neuron, precision in BASELINES:
        these = [one for one in compared if (one.neuron, one.precision) == (neuron, precision)]
        ranges = [
            f"{one.network} {one.reduction[0]:.0%} to {one.reduction[1]:.0%} ({one.verdict}; "
            f"{one.middle:.0%} by the middle of the count)"
            for one in these
            if one.reduction is not None
        ]
        lines.append(f"- **{neuron}, {precision}**: {'; '.join(ranges)}.")
    held = [
        f"{neuron} {precision}"
        for neuron, precision in BASELINES
        if _holds(compared, neuron, precision)
    ]
    lines.append(
        "\nBy the middle of the count the claim holds for every network above under: "
        f"{', '.join(held) or 'none'}. Under the other baselines at least one network lies outside "
        "the band; above it the GPU baseline is the weak one, not the chip strong."
    )
    outside = sorted({one.network for one in compared if one.reduction is None})
    if outside:
        lines.append(f"\nNot applicable, everything fits in L2: {', '.join(outside)}.")
    return "\n".join(lines)


def _holds(compared: Sequence[Comparison], neuron: str, precision: str) -> bool:
    these = [one for one in compared if (one.neuron, one.precision) == (neuron, precision)]
    middles = [one.middle for one in these if one.middle is not None]
    return all(CLAIM[0] <= middle <= CLAIM[1] for middle in middles)


def _time_and_energy(runs: Sequence[ChipRun]) -> str:
    lines = []
    for name in sorted({run.workload for run in runs}):
        mine = [run for run in runs if run.workload == name]
        network = network_named(name)
        for precision in ("amp", "fp32"):
            found = network_baseline(network, A100, precision, "fused")
            low, high = found.energy_j_range
            lines.append(
                f"**{name}** against {found.device}, {precision}: "
                f"{found.time_s * 1e6:,.0f} us ({found.time_s_range[0] * 1e6:,.0f} to "
                f"{found.time_s_range[1] * 1e6:,.0f}), {1e3 * low:.3g} to {1e3 * high:.3g} mJ\n"
            )
            lines += [f"- {line}" for line in ratio_lines(found, mine)]
            lines.append("")
        lines += [
            f"- break-even of skipping on {run.chip}: {break_even_rate(run):.0%} spike rate\n"
            for run in mine
            if run.modes == "sparse"
        ]
    return "\n".join(lines)


def _sensitivity(folder: Path) -> str:
    network, parts = network_named(_TORNADO_NETWORK), []
    for name, figure, quantity in (
        ("gpu-tornado-dram", dram_reduction(network), "share of DRAM bytes saved"),
        ("gpu-tornado-energy", energy(network), "energy of an iteration on the GPU (J)"),
    ):
        found, usual = swings(A100, figure), figure(Case(A100))
        save(tornado_figure(found, usual, f"{_TORNADO_NETWORK}: {quantity}"), folder, name)
        parts.append(f"{_TORNADO_NETWORK}, {quantity}; usual {usual:.3g}:")
        parts.append(_table(("assumption", "least", "most", "swing"), map(_row, found)))
        parts.append(f"![{quantity}](plots/{name}.png)")
    return "\n\n".join(parts)


def _row(swing: Swing) -> tuple[str, str, str, str]:
    return swing.assumption, f"{swing.least:.3g}", f"{swing.most:.3g}", f"{swing.width:.3g}"
