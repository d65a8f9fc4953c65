"""The page ``gpu-baseline.md``: the model against measurements, and the chip against the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlm.files import make_folder, whole_file
from tlm.workload import bundled_names, bundled_networks
from tlm_analysis.gpu.checks.published import points
from tlm_analysis.gpu.checks.v100 import V100Case, cases, measured, predicted
from tlm_analysis.gpu.comparison.chip_run import ChipRun, chip_run, counted_dram_nbytes
from tlm_analysis.gpu.comparison.compare import Comparison, compare
from tlm_analysis.gpu.comparison.sensitivity import (
    AssumptionCase,
    Swing,
    dram_reduction,
    energy,
    outcomes,
    swings,
)
from tlm_analysis.gpu.comparison.sweep import read_sweep
from tlm_analysis.gpu.device.devices import A100, V100
from tlm_analysis.gpu.page.chip_tables import (
    break_even_table,
    chip_table,
    claim_table,
    count_check,
    table,
    verdict,
)
from tlm_analysis.gpu.page.plots import reduction_figure, tornado_figure
from tlm_analysis.gpu.page.text import (
    BREAK_EVEN,
    CHECKED,
    CLAIM_TEXT,
    INTRODUCTION,
    NOT_MODELLED,
    PUBLISHED,
    SENSITIVITY,
    TIME_AND_ENERGY,
)
from tlm_analysis.gpu.step.recorded import network_named
from tlm_analysis.plots.canvas import save

_MB = 1e6
_LARGE_ERROR = 0.25
_TORNADO_NETWORK = "s-resnet18"


def write_page(folder: Path, run_dirs: Sequence[Path], sweep_files: Sequence[Path]) -> Path:
    """Run every check and comparison; write the page and its plots into ``folder``.

    Runs of the chip, and its runs of a job at other activities, stand beside the GPU for the job
    they ran. Takes minutes.
    """
    sweeps = [read_sweep(file) for file in sweep_files]
    runs = [chip_run(run_dir) for run_dir in run_dirs]
    runs += [run for sweep in sweeps for run in sweep.runs.values()]
    make_folder(folder)
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
        claim_table(compared),
        count_check(runs),
        "![DRAM bytes saved](plots/gpu-dram.png)",
        verdict(compared),
        TIME_AND_ENERGY,
        chip_table(runs),
        BREAK_EVEN,
        break_even_table(sweeps),
        SENSITIVITY,
        _sensitivity(folder, [run for run in runs if run.kind == "sparse"]),
    ]
    save(reduction_figure(compared), folder, "gpu-dram")
    with whole_file(page) as written:
        text = "\n\n".join(part.strip("\n") for part in parts) + "\n"
        written.write_text(text, encoding="utf-8")
    return page


def _v100_table() -> str:
    reference = measured()
    rows = []
    for case in cases():
        predictions, real = predicted(case), reference[case.name]
        dram = predictions.dram_nbytes / _MB, real.dram_read_mb + real.dram_write_mb
        l2 = predictions.l2_nbytes / _MB, real.l2_read_mb + real.l2_write_mb
        rows.append(
            (
                case.name,
                case.source,
                f"{dram[0]:.2f} / {dram[1]:.2f}",
                f"{dram[0] / dram[1] - 1:+.1%}",
                f"{predictions.dram_write_nbytes / _MB:.2f} / {real.dram_write_mb:.2f}",
                f"{l2[0]:.2f} / {l2[1]:.2f}" if case.l2_read else "not claimed",
                f"{l2[0] / l2[1] - 1:+.1%}" if case.l2_read else "",
                _v100_standing(case),
            )
        )
    head = ("kernel", "sizes from", "DRAM MB", "error", "written MB", "L2 MB", "error", "standing")
    return table(head, rows)


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
    return table(("point", "model", "published", "error", "standing", "source"), rows)


def _standing(standing: str, error: float) -> str:
    fits = abs(error) <= _LARGE_ERROR or standing == "not comparable"
    return standing if fits else "not reproduced"


def _comparisons(runs: Sequence[ChipRun]) -> list[Comparison]:
    """Every bundled job and network; the last sparse run of it, or else a count."""
    sparse = {run.workload: run for run in runs if run.kind == "sparse"}
    return [
        comparison
        for name in (*bundled_names("training"), *bundled_networks())
        for comparison in compare(network_named(name), sparse.get(name))
    ]


def _sensitivity(folder: Path, runs: Sequence[ChipRun]) -> str:
    parts: list[str] = []
    run = next((run for run in runs if run.workload == _TORNADO_NETWORK), None)
    network = network_named(_TORNADO_NETWORK)
    if run is None:
        saved = dram_reduction(counted_dram_nbytes(network).value)
    else:
        saved, network = dram_reduction(run.dram_nbytes), run.same_job(network)
    job = f"{network.name} B={network.batch} T={network.steps}"
    cases, as_usual = outcomes(A100, network), AssumptionCase(A100).baseline(network)
    for name, figure, quantity in (
        ("gpu-tornado-dram", saved, "share of DRAM bytes saved"),
        ("gpu-tornado-energy", energy, "energy of an iteration on the GPU (J)"),
    ):
        predictions, usual = swings(cases, figure), figure(as_usual)
        moving = [swing for swing in predictions if swing.width > 0]
        save(tornado_figure(moving, usual, f"{job}: {quantity}"), folder, name)
        parts.append(f"{job}, {quantity}; usual {usual:.3g}:")
        parts.append(table(("assumption", "least", "most", "swing"), map(_row, moving)))
        still = [swing.assumption for swing in predictions if swing.width == 0]
        if still:
            parts.append(f"Without effect: {', '.join(still)}.")
        parts.append(f"![{quantity}](plots/{name}.png)")
    return "\n\n".join(parts)


def _row(swing: Swing) -> tuple[str, str, str, str]:
    return swing.assumption, f"{swing.least:.3g}", f"{swing.most:.3g}", f"{swing.width:.3g}"
