"""``noc``: a mesh on its own under synthetic traffic, as a latency-load curve."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.curve import CurveRows
from tlm.cli.options import AsJson
from tlm.errors import ConfigError

if TYPE_CHECKING:
    from tlm.hardware.noc.driver import NocMeasurement

SWEEP_STEPS = 20  # loads from 5 % to 100 % of what the busiest link can pass, if none is given


class NocModel(StrEnum):
    """Models of a network on chip."""

    IDEAL = "ideal"
    PACKET = "packet"
    ROUTER = "router"


class RoutingOption(StrEnum):
    """Routes of the router model."""

    XY = "xy"
    YX = "yx"
    WEST_FIRST = "west-first"


def noc(
    mesh: Annotated[str, typer.Option(metavar="COLUMNSxROWS", help="Size of the mesh.")] = "8x8",
    traffic: Annotated[
        str,
        typer.Option(
            help="uniform, transpose, neighbor, tornado, bitcomp, bitrev, shuffle, hotspot1 or "
            "hotspot4."
        ),
    ] = "uniform",
    packet_flits: Annotated[int, typer.Option(min=1, help="Flits of a packet.")] = 5,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            help="Offered load in flits per node and cycle; repeatable. Without it, a sweep up to "
            "saturation."
        ),
    ] = None,
    model: Annotated[NocModel, typer.Option(help="Model of the network.")] = NocModel.ROUTER,
    stages: Annotated[int, typer.Option(help="Pipeline stages of a router, 2 to 4.")] = 4,
    vcs: Annotated[int, typer.Option(min=1, help="Virtual channels per input.")] = 4,
    vc_buffer: Annotated[int, typer.Option(min=1, help="Flits a virtual channel holds.")] = 8,
    routing: Annotated[
        RoutingOption, typer.Option(help="Routes of the router model.")
    ] = RoutingOption.XY,
    warmup: Annotated[int, typer.Option(min=0, help="Cycles before the measurement.")] = 3000,
    cycles: Annotated[
        int,
        typer.Option(
            min=1,
            help="Cycles of the measurement; doubled, up to four times as many, until it settles.",
        ),
    ] = 10000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the traffic.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write noc.csv and plots there as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a mesh under synthetic traffic; print the latency-load curve.

    On a terminal it is a table, else CSV. Every given load is measured; a sweep ends with the first
    that is not stable: whose latency does not settle however long one looks.
    """
    from tlm.compiled.driver import mesh_driver
    from tlm.files import make_folder
    from tlm.hardware.noc.driver import NocMeasurement, NocRun, converged
    from tlm.hardware.noc.router.shape import RouterShape
    from tlm.hardware.noc.traffic import TrafficPattern

    columns, rows = mesh_size(mesh)
    shape = RouterShape(stages, vcs, vc_buffer, routing.value)
    pattern = TrafficPattern(traffic, columns, rows, packet_flits, packet_flits, seed)
    rates = rate or [pattern.bound() * (i + 1) / SWEEP_STEPS for i in range(SWEEP_STEPS)]
    loads = [TrafficPattern(traffic, columns, rows, packet_flits, load, seed) for load in rates]
    name = f"{mesh} {traffic}, {packet_flits} flits, {vcs} VCs, {stages} stages, {model.value}"
    points: list[NocMeasurement] = []
    if out is not None:
        make_folder(out)
    curve = CurveRows([field.name for field in fields(NocMeasurement)], as_json)
    for load in loads:
        run = NocRun(warmup, cycles)
        points.append(converged(load, shape, run, model.value, mesh_driver()))
        curve.add(astuple(points[-1]))
        if rate is None and not points[-1].stable:
            break
    curve.close()
    if out is not None:
        _write(out, name, curve.lines, points)


def mesh_size(text: str) -> tuple[int, int]:
    """Columns and rows of ``8x8``.

    Raises:
        ConfigError: the text is no size.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or not 1 <= int(match[1]) * int(match[2]) <= 4096:
        raise ConfigError(f'--mesh: expected COLUMNSxROWS (such as 8x8), got "{text}"')
    return int(match[1]), int(match[2])


def _write(out: Path, name: str, lines: Iterable[str], points: Sequence[NocMeasurement]) -> None:
    """The CSV file and the figure of a curve."""
    from tlm.running.folder import write_atomic

    write_atomic(out / "noc.csv", "\n".join(lines) + "\n")
    from tlm_analysis.plots import canvas, fabric

    points = [point for point in points if math.isfinite(point.latency)]
    points = [point for point in points if point.stable] or points
    figure = fabric.curve_figure(
        f"Mesh: {name}",
        [fabric.Curve(name, [p.offered for p in points], [p.latency for p in points])],
        "offered load (flits per node and cycle)",
        "mean packet latency (cycles)",
    )
    for picture in canvas.save(figure, out, "noc"):
        typer.echo(picture, err=True)
