"""Tables of what a pass over a synapse memory costs: of layers, and of the published cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tlm.cli.tables import Hanging, ScreenTable
from tlm.quantity_text import energy_text, time_text

if TYPE_CHECKING:
    from tlm.synapses.published import PublishedCell
    from tlm.synapses.sizes import MemorySize

NOTE = (
    "A pass takes every synapse once (every tap of a conv organisation), the backward one updates "
    "the weights. Constants: table memory-organisation."
)


def cost_table(rows: Sequence[MemorySize]) -> ScreenTable:
    """Energy and time of both passes and leakage, a row for each memory that there is."""
    table = ScreenTable(
        "Cost of a pass",
        *("organisation", "width", "density"),
        *("E forward", "E backward", "t forward", "t backward", "leakage"),
        keys=3,
    )
    for row in rows:
        if row.cost is not None:
            passes = (row.cost.forward, row.cost.backward)
            table.add_row(
                row.organisation,
                str(row.width),
                f"{row.density:g}",
                *(energy_text(each.energy_pj) for each in passes),
                *(time_text(each.time_ps) for each in passes),
                f"{row.cost.leakage_w * 1e3:.3g} mW",
            )
    return table


def published_screen() -> Iterator[ScreenTable | Hanging]:
    """The published cells with the error of the model's figure behind each, then where from."""
    from tlm.config.tables.synapse_memory import load_synapse_memory
    from tlm.synapses.published import errors, published_cells

    constants = load_synapse_memory()
    table = ScreenTable(
        f"Published table and errors of {constants.name}",
        *("layer", "organisation", "bits", "density", "size"),
        *("forward uJ", "backward uJ", "forward ms", "backward ms", "leakage mW"),
        keys=5,
    )
    names = ("forward_uj", "backward_uj", "forward_ms", "backward_ms", "leakage_mw")
    for cell in published_cells():
        off, key, theirs = errors(cell, constants), cell.key, cell.figures
        table.add_row(
            key.layer,
            key.organisation + (" *" if key in constants.calibration else ""),
            str(key.width),
            f"{key.density:g}",
            _size(cell),
            *(f"{theirs[name]:.4g} {off[name]:+.0%}" if name in off else "" for name in names),
        )
    yield table
    yield Hanging("* calibrated the constants; all other figures are predicted.")
    yield Hanging(
        "Schaefer, Faley, Neftci, Joshi, ISCAS 2020 (arXiv 2003.11639), figures of their "
        "repository QuantizedSNNs, MIT licence, copyright (c) 2020 Siddharth Joshi, "
        "Clemens JS Schaefer."
    )
    for figure in constants.published:
        yield Hanging(f"{figure.what}: {figure.value} published, {figure.ours} ({figure.source})")


def _size(cell: PublishedCell) -> str:
    key = cell.key
    if key.layer == "fc":
        return f"{key.inputs} x {key.outputs}"
    return f"{key.window}x{key.window} {key.filters} {key.image}x{key.image}"
