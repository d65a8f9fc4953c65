"""``dram``: one channel on its own under a request pattern, as a latency-load curve."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.curve import CurveRows
from tlm.cli.options import AsJson
from tlm.errors import ConfigError

if TYPE_CHECKING:
    from tlm.config.tables.dram_timing import DramTiming
    from tlm.hardware.dram.driver import DramLoad, DramMeasurement
    from tlm.hardware.dram.patterns import RequestList

COLUMNS = (
    *("load", "requests", "bandwidth_gb_s", "total_gb_s", "peak_gb_s", "read_latency_ns"),
    *("read_latency_min_ns", "row_hit_rate", "activates", "precharges", "reads", "writes"),
    *("refreshes", "time_ns", "energy_uj"),
)


class Order(StrEnum):
    """Policies of the controller."""

    READY_FIRST = "ready-first"
    HITS_FIRST = "hits-first"


class Page(StrEnum):
    """Row buffer policies."""

    OPEN = "open"
    CLOSED = "closed"


def dram(
    preset: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A device by name, or a timing file.")
    ] = "DDR4-2400",
    pattern: Annotated[
        str | None, typer.Option(metavar="NAME", help="A request pattern, such as rand_rd.")
    ] = None,
    requests: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Requests to replay: 'R 0x1f40' or '0x1f40 READ CLOCK' per line."
        ),
    ] = None,
    interval: Annotated[
        list[str] | None,
        typer.Option(metavar="CLOCKS", help="Clocks between requests (open loop); repeatable."),
    ] = None,
    window: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Requests outstanding (closed loop); repeatable."),
    ] = None,
    count: Annotated[int, typer.Option(min=10, help="Requests of a pattern.")] = 20000,
    nbytes: Annotated[
        int | None, typer.Option("--bytes", min=1, help="Bytes of a request; one burst by default.")
    ] = None,
    address_map: Annotated[
        str | None,
        typer.Option("--map", help="Address fields, most significant first, instead of its own."),
    ] = None,
    order: Annotated[
        Order, typer.Option("--policy", help="Order of commands; hits-first keeps rows open.")
    ] = Order.READY_FIRST,
    page: Annotated[Page, typer.Option(help="Row buffer policy.")] = Page.OPEN,
    read_queue: Annotated[int, typer.Option(min=1, help="Bursts in the read queue.")] = 32,
    write_queue: Annotated[int, typer.Option(min=1, help="Bursts in the write queue.")] = 32,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write dram.csv and plots there as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure one DRAM channel; print bandwidth, latency and command counts.

    On a terminal they are a table, else CSV.

    Without --interval and --window, requests are offered at the clocks that their file gives, or
    as fast as they are accepted.
    """
    from tlm.compiled.driver import dram_replay
    from tlm.config.tables.dram_timing import load_dram_timing
    from tlm.files import make_folder
    from tlm.hardware.dram.driver import DramLoad, drive
    from tlm.hardware.dram.policy import DramPolicy

    timing = load_dram_timing(preset, "--preset")
    policy = DramPolicy(
        read_queue=read_queue,
        write_queue=write_queue,
        write_high=max(1, write_queue * 4 // 5 + (write_queue * 4 % 5 > 0)),
        write_low=write_queue // 5,
        policy=order.value,
        page=page.value,
        address_map=address_map,
    )
    offered = _offered(timing, pattern, requests, count, nbytes, address_map)
    loads = [f"int:{clocks}" for clocks in interval or []]
    loads += [f"win:{number}" for number in window or []]
    parsed = [(text, DramLoad.parse(text)) for text in loads or ["sat"]]
    if offered.clocks and not loads:
        parsed = [("recorded", DramLoad(clocks=tuple(offered.clocks)))]
    if out is not None:
        make_folder(out)
    curve = CurveRows(COLUMNS, as_json)
    points: list[tuple[DramLoad, DramMeasurement]] = []
    for text, load in parsed:
        measured = drive(timing, offered.requests, load, policy, offered.nbytes, dram_replay())
        points.append((load, measured))
        curve.add(_values(text, len(offered.requests), timing, measured))
    curve.close()
    if not all(measured.is_steady for _, measured in points):
        typer.echo(
            "tlm: too few requests for a steady bandwidth: a tenth of them has to fill the queues",
            err=True,
        )
    if out is not None:
        _write(out, f"{timing.name} {pattern or requests}", curve.lines, points)


def _offered(
    timing: DramTiming,
    pattern: str | None,
    path: Path | None,
    count: int,
    nbytes: int | None,
    address_map: str | None,
) -> RequestList:
    """The requests to offer, from a pattern laid out for the device, or from a file."""
    from tlm.hardware.dram.address import AddressMap
    from tlm.hardware.dram.patterns import PatternGeometry, RequestList, read_requests, within
    from tlm.hardware.dram.patterns import requests as pattern_requests

    if (pattern is None) == (path is None):
        raise ConfigError("dram: give either --pattern NAME or --requests FILE")
    size = nbytes or timing.burst_bytes
    if path is not None:
        return within(read_requests(path, size), timing, path)
    amap = AddressMap(timing, address_map)
    geometry = PatternGeometry(
        line=size, page=amap.page_step_bytes, row_stride=amap.same_bank_bytes
    )
    assert pattern is not None
    offered = pattern_requests(pattern, count, geometry)
    return RequestList(offered, [size] * len(offered), [])


def _values(
    load: str, count: int, timing: DramTiming, measured: DramMeasurement
) -> tuple[object, ...]:
    """One row in the order of ``COLUMNS``."""
    from tlm.hardware.dram.energy import channel_energy

    counters = measured.counters
    energy = channel_energy(timing, counters, measured.time_ps)
    return (
        load, count, measured.steady_gb_s if measured.is_steady else None,
        measured.total_gb_s, timing.peak_bytes_per_ps * 1000,
        measured.read_latency_ns, measured.read_latency_min_ns, counters.row_hit_rate,
        counters.activates, counters.precharges, counters.reads, counters.writes,
        counters.refreshes, measured.time_ps / 1000,
        None if energy is None else energy.total_pj / 1e6,
    )  # fmt: skip


def _write(
    out: Path,
    name: str,
    lines: Sequence[str],
    points: Sequence[tuple[DramLoad, DramMeasurement]],
) -> None:
    """The CSV file and, where reads were measured, the figure of the curve."""
    from tlm.running.folder import write_atomic

    write_atomic(out / "dram.csv", "\n".join(lines) + "\n")
    from tlm_analysis.plots import canvas, fabric

    measured = sorted(
        (m.steady_gb_s, m.read_latency_ns)
        for _, m in points
        if m.is_steady and m.read_latency_ns is not None
    )
    figure = fabric.curve_figure(
        f"DRAM: {name}",
        [fabric.Curve(name, [x for x, _ in measured], [y for _, y in measured])],
        "bandwidth (GB/s)",
        "mean read latency (ns)",
    )
    for picture in canvas.save(figure, out, "dram"):
        typer.echo(picture, err=True)
