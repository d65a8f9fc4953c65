"""``area``: what a chip takes, by component."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import DEFAULT_CHIP, Overrides

if TYPE_CHECKING:
    from tlm.cli.tables import ScreenTable
    from tlm.hardware.area import AreaRow


def area(
    chip: Annotated[
        str, typer.Argument(metavar="[CHIP]", help="A preset or a file.")
    ] = DEFAULT_CHIP,
    overrides: Overrides = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="List every part, with the source of its area.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Print a chip's area by component, its peak rate, and both together."""
    from tlm.cli.tables import ScreenTable, console
    from tlm.config import load_chip
    from tlm.hardware.area import chip_area, peak_tflops

    loaded = load_chip(chip, overrides or [])
    rows = chip_area(loaded)
    components = _by_component(rows)
    total = sum(components.values())
    peak = peak_tflops(loaded.config)
    assumed = sum(row.total_mm2 for row in rows if row.confidence == "assumed") / total
    if as_json:
        figures = {"total_mm2": total, "by_component_mm2": components, "peak_tflops": peak}
        figures |= {"peak_tflops_per_mm2": peak / total, "assumed_share": assumed}
        typer.echo(json.dumps(figures, indent=2, allow_nan=False))
        return
    out = console()
    if parts:
        out.print(_parts(rows))
        out.print()
    table = ScreenTable("Area", "component", "mm2", "share")
    for name, mm2 in components.items():
        table.add_row(name, f"{mm2:.3f}", f"{mm2 / total:.1%}")
    out.print(table)
    out.print()
    out.print(
        f"{loaded.config.name} with table {loaded.area.name} ({loaded.area.node}): "
        f"{total:.2f} mm2, peak {peak:.2f} TFLOPS FP16 dense, {peak / total:.3f} TFLOPS/mm2; "
        f"{assumed:.0%} of the area from assumed units"
    )


def _by_component(rows: list[AreaRow]) -> dict[str, float]:
    components: dict[str, float] = {}
    for row in rows:
        components[row.component] = components.get(row.component, 0.0) + row.total_mm2
    return dict(sorted(components.items(), key=lambda item: -item[1]))


def _parts(rows: list[AreaRow]) -> ScreenTable:
    from tlm.cli.tables import ScreenTable

    columns = ("component", "part", "count", "um2 each", "mm2", "confidence", "source")
    table = ScreenTable("Parts", *columns, keys=2, left=("confidence",), prose=("source",))
    for row in rows:
        cells = (f"{row.count:,}", f"{row.each_um2:,.1f}", f"{row.total_mm2:.4f}")
        table.add_row(row.component, row.part, *cells, row.confidence, row.source)
    return table
