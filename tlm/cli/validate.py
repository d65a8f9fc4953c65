"""``validate``: docs/validation.md, made anew."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from tlm.validation.dram import BandPoint
    from tlm.validation.noc import CurveResult
    from tlm.validation.page import Findings

ValidationTask = TypeVar("ValidationTask")
Result = TypeVar("Result")

PANELS = (  # of the network's figure: side, flits per packet, traffic
    (8, 5, "uniform"),
    (8, 1, "uniform"),
    (4, 5, "transpose"),
    (4, 5, "neighbor"),
)
DRAM_PANELS = ("rand_rd", "mix21_seq", "seq_rd", "str4_diff")


def validate(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where validation.md and figures/ go.")
    ] = Path("docs"),
    reference: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Reference curves; those of the repository.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Shorter runs: noisier figures in a few minutes.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
) -> None:
    """Measure network and DRAM models at every reference point and write the validation page."""
    from tlm.running.folder import write_atomic
    from tlm.validation.page import kept_studies, page
    from tlm.validation.reference import REFERENCE

    findings = _measure_all(reference or REFERENCE, out, quick, min(jobs, os.cpu_count() or 1))
    figures = _draw(findings, out / "figures")
    written = out / "validation.md"
    studies = kept_studies(written.read_text(encoding="utf-8")) if written.exists() else ""
    write_atomic(written, page(findings, figures) + studies)
    typer.echo(out / "validation.md")


def _measure_all(reference: Path, out: Path, quick: bool, jobs: int) -> Findings:
    from tlm.files import make_folder
    from tlm.validation import dram, noc
    from tlm.validation.closed_forms import closed_forms
    from tlm.validation.dram_page import DramFindings
    from tlm.validation.page import Findings

    loads, left_out = dram.tasks(reference)  # all inputs are checked before anything is run
    meshes, limits = noc.tasks(reference, quick), noc.limit_rows(reference)
    make_folder(out)
    points = _map(noc.measure, meshes, jobs, "network")
    bands = _map(partial(dram.measure, quick=quick), loads, jobs, "DRAM")
    return Findings(
        mismatches=[
            (k, flits, 3 * k**4, len(noc.zero_load_mismatches(k, flits)))
            for k, flits in ((4, 1), (4, 5), (5, 3))
        ],
        limits=list(noc.limits(limits)),
        curves=noc.collect(reference, points),
        dram=DramFindings(list(closed_forms()), bands, left_out),
    )


def _map(
    function: Callable[[ValidationTask], Result],
    tasks: Sequence[ValidationTask],
    jobs: int,
    what: str,
) -> list[Result]:
    """Every task's result in order, with a line of progress on stderr now and then."""
    from concurrent.futures import ProcessPoolExecutor

    if jobs == 1:
        return _counted(map(function, tasks), len(tasks), what)
    with ProcessPoolExecutor(jobs) as pool:
        return _counted(pool.map(function, tasks, chunksize=4), len(tasks), what)


def _counted(results: Iterable[Result], total: int, what: str) -> list[Result]:
    measured = []
    began = time.monotonic()
    for result in results:
        measured.append(result)
        if len(measured) % 50 == 0 or len(measured) == total:
            left_s = (time.monotonic() - began) * (total / len(measured) - 1)
            typer.echo(f"{what}: {len(measured)} of {total} points, {left_s:.0f} s left", err=True)
    return measured


def _draw(findings: Findings, folder: Path) -> list[str]:
    """The figures; returns their names."""
    from tlm_analysis.plots import fabric

    panels = {
        "noc-latency": [_noc_panel(fabric, findings.curves, *key) for key in PANELS],
        "dram-latency": [_dram_panel(fabric, findings.dram.bands, trace) for trace in DRAM_PANELS],
    }
    for name, drawn in panels.items():
        fabric.write_png(fabric.panel_figure(drawn, columns=2), folder / f"{name}.png")
    return list(panels)


def _noc_panel(
    fabric: Any, results: Sequence[CurveResult], side: int, flits: int, traffic: str
) -> Any:
    """Curves of one mesh and traffic: BookSim2 as circles, our router as lines."""
    chosen = [
        r for r in results if (r.key.side, r.key.flits, r.key.traffic) == (side, flits, traffic)
    ]
    curves = []
    for group, result in enumerate(chosen):
        points = sorted(result.router, key=lambda point: point.task.rate)
        rates = [point.task.rate for point in points]
        label = f"{result.key.router}, {result.key.vcs} VCs"
        curves.append(
            fabric.Curve("", rates, [p.task.reference for p in points], reference=True, group=group)
        )
        curves.append(fabric.Curve(label, rates, [p.latency for p in points], group=group))
    lowest = [point.latency for result in chosen for point in result.router[:1]]
    return fabric.CurvePanel(
        f"{side}x{side} {traffic}, {flits} flits: BookSim2 (circles) and ours",
        curves,
        "offered load (flits per node and cycle)",
        "mean latency (cycles)",
        y_max=4 * max(lowest, default=25.0),
    )


def _dram_panel(fabric: Any, points: Sequence[BandPoint], trace: str) -> Any:
    """Read latency over bandwidth in open loop: the simulators' bands and ours."""
    curves = []
    for group, config in enumerate(("ddr4_2400_bgco", "ddr4_2400_cobg")):
        chosen = sorted(
            (
                point
                for point in points
                if (point.task.config, point.task.trace) == (config, trace)
                and point.task.mode.startswith("int:")
                and not point.task.saturated
                and point.latency_band is not None
            ),
            key=lambda point: point.ours.bandwidth,
        )
        curves += [
            fabric.Curve(
                "",
                [point.bandwidth_band[edge] for point in chosen],
                [point.latency_band[edge] for point in chosen if point.latency_band],
                reference=True,
                group=group,
            )
            for edge in (0, 1)
        ]
        ours = [point.ours.latency or 0.0 for point in chosen]
        curves.append(fabric.Curve(config, [p.ours.bandwidth for p in chosen], ours, group=group))
    return fabric.CurvePanel(
        f"{trace}: least and most of the simulators (circles), ours",
        curves,
        "bandwidth (GB/s)",
        "mean read latency (ns)",
    )
