"""``synapses``: what the weights of a layer take in every organisation of a synapse memory."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.errors import ConfigError

if TYPE_CHECKING:
    from tlm.cli.tables import ScreenTable
    from tlm.synapses.sizes import MemorySize
    from tlm.synapses.sources import WeightSource

DENSITY_STEP = 0.05

# What a row of the table shows of a memory: a further figure is a further line here.
COLUMNS: tuple[tuple[str, Callable[[MemorySize], str]], ...] = (
    ("organisation", lambda row: row.organisation),
    ("width", lambda row: str(row.width)),
    ("density", lambda row: f"{row.density:g}"),
    ("synapses", lambda row: f"{row.synapses:,}"),
    ("bits", lambda row: "-" if row.unfit else f"{row.bits:,}"),
    ("bits each", lambda row: _per_synapse(row)),
    ("", lambda row: "least" if row.is_smallest else ""),
)


def synapses(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A layer of a job (mnist-fc:fc1), a matrix [inputs, outputs] in a .npy file, or a "
            "shape INPUTSxOUTPUTS, whose weights are drawn.",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="The layer, where SOURCE is a job.")
    ] = None,
    width: Annotated[
        str, typer.Option(metavar="BITS", help="Bits of a weight: 8, or several: 2,4,8.")
    ] = "8",
    density: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Share of the weights that is kept, the largest: 1, 0.1,0.5 or 0.05..1 (in steps "
            "of 0.05).",
        ),
    ] = "1",
    organisation: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An organisation, such as pb-bmp or 2:4; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights that are drawn.")] = 1,
    cost: Annotated[
        bool, typer.Option("--cost", help="Energy, time and leakage of a pass, too.")
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Only the published table, beside the model's.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all tables there, too.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw bits over density there, too.")
    ] = None,
) -> None:
    """Compare organisations of a synapse memory: bits, energy and time by width and density.

    A weight that is zero, or that becomes zero when it is quantised, is no synapse.
    """
    from tlm.cli.synapses_cost import NOTE, cost_table, published_screen
    from tlm.cli.tables import Hanging, console
    from tlm.synapses.sizes import memory_sizes
    from tlm.synapses.sources import open_source

    out = console()
    if published and source is not None:
        raise ConfigError(f"--published: shows the published table alone; leave {source} out")
    if published:
        out.print(*published_screen(), sep="\n")
        return
    if source is None:
        raise ConfigError(
            "expected SOURCE: a layer (mnist-fc:fc1), a .npy file or a shape (784x128)"
        )
    widths, densities = _widths(width), _densities(density)
    if plot is not None and plot.suffix != ".png":
        raise ConfigError(f"--plot: expected a file that ends in .png, got {str(plot)!a}")
    weights = open_source(source, layer, seed)
    rows = memory_sizes(weights, widths, densities, organisation or [])
    inputs, outputs = weights.weights.shape
    out.print(_table(f"{weights.name}: {inputs} x {outputs} weights, {weights.origin}", rows))
    for line in _notes(weights, rows):
        out.print(Hanging(line))
    if cost:
        out.print("", cost_table(rows), Hanging(NOTE), sep="\n")
    if json_file is not None:
        _write(json_file, weights, rows)
    if plot is not None:
        _draw(plot, weights.name, rows)


def _widths(text: str) -> list[int]:
    if not re.fullmatch(r"\d{1,2}(,\d{1,2})*", text, re.ASCII):
        raise ConfigError(f'--width: expected whole numbers such as 2,4,8, got "{text}"')
    return [int(word) for word in text.split(",")]


def _densities(text: str) -> list[float]:
    """The densities of ``0.1,0.5``, or of ``0.05..1`` in steps of 0.05, the last one included."""
    first, dots, last = text.partition("..")
    try:
        bounds = [float(word) for word in ((first, last) if dots else text.split(","))]
    except ValueError:
        bounds = [math.nan]
    if not all(0 <= bound <= 1 for bound in bounds) or (bounds[0] > bounds[-1] and dots):
        raise ConfigError(
            f"--density: expected numbers from 0 to 1 such as 0.1,0.5 or 0.05..1, got {text!a}"
        )
    if not dots:
        return bounds
    steps = math.floor((bounds[1] - bounds[0]) / DENSITY_STEP + 1e-9)
    points = [round(bounds[0] + step * DENSITY_STEP, 6) for step in range(steps + 1)]
    return points if math.isclose(points[-1], bounds[1]) else [*points, bounds[1]]


def _table(title: str, rows: Sequence[MemorySize]) -> ScreenTable:
    from tlm.cli.tables import ScreenTable

    table = ScreenTable(title, *(name for name, _ in COLUMNS))
    for row in rows:
        table.add_row(*(cell(row) for _, cell in COLUMNS))
    return table


def _per_synapse(row: MemorySize) -> str:
    return "-" if row.unfit or not row.synapses else f"{row.bits / row.synapses:.2f}"


def _notes(source: WeightSource, rows: Sequence[MemorySize]) -> Iterator[str]:
    """What the table does not say by itself."""
    if source.is_convolution:
        yield "A synapse is a weight of a filter here; all positions of the image share it."
    for row in {row.organisation: row for row in rows if row.unfit}.values():
        yield f"{row.organisation}: {row.unfit}"
    yield from _core_notes(source, rows)
    if len({row.density for row in rows}) > 1:
        for width, group in groupby(rows, lambda row: row.width):
            yield f"Least at {width} bits: {_winners(list(group))}"


def _core_notes(source: WeightSource, rows: Sequence[MemorySize]) -> Iterator[str]:
    """What does not fit a core of Loihi, the first row of each of its two formats."""
    from tlm.synapses.loihi import core_excess

    noted: set[str] = set()
    for row in rows:
        if not row.organisation.startswith("loihi") or row.unfit or source.is_convolution:
            continue
        excess = core_excess(row.tables[0].words, *source.weights.shape)
        if excess and row.organisation not in noted:
            noted.add(row.organisation)
            place = f"at {row.width} bits and density {row.density:g}"
            yield f"{row.organisation} exceeds a core {place}: {', '.join(excess)}"


def _winners(rows: Sequence[MemorySize]) -> str:
    """The smallest organisation of each range of densities."""
    smallest = sorted((row for row in rows if row.is_smallest), key=lambda row: row.density)
    ranges = [
        (name, [row.density for row in group])
        for name, group in groupby(smallest, lambda row: row.organisation)
    ]
    return ", ".join(
        f"{name} at {low[0]:g}" + (f" to {low[-1]:g}" if len(low) > 1 else "")
        for name, low in ranges
    )


def _write(path: Path, source: WeightSource, rows: Sequence[MemorySize]) -> None:
    from dataclasses import asdict

    from tlm.running.folder import write_json

    inputs, outputs = source.weights.shape
    figures = [{**asdict(row), "bits": row.bits} for row in rows]
    write_json(
        path,
        {
            "source": source.name,
            "weights": source.origin,
            "inputs": inputs,
            "outputs": outputs,
            "memories": figures,
        },
    )


def _draw(path: Path, name: str, rows: Sequence[MemorySize]) -> None:
    """Bits over density, a pair of axes for each width."""
    from tlm_analysis.plots.fabric import Curve, CurvePanel, panel_figure, write_png

    panels = []
    names = list(dict.fromkeys(row.organisation for row in rows if not row.unfit))
    for width, group in groupby(rows, lambda row: row.width):
        points = sorted((row for row in group if not row.unfit), key=lambda row: row.density)
        curves = [
            Curve(
                name,
                [row.density for row in points if row.organisation == name],
                [row.bits / 1000 for row in points if row.organisation == name],
                group=number,
            )
            for number, name in enumerate(names)
        ]
        panels.append(CurvePanel(f"{name}, {width} bits", curves, "density", "memory (kbit)"))
    write_png(panel_figure(panels, columns=min(2, len(panels))), path)
