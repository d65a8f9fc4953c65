"""Sections of the page on memory organisations: the model's figures beside the published table.

``python -m tests.evidence.synapses`` writes them all; fits without one calibration cell take most
of its minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from tests.evidence.page import DOCS, replace_section
from tests.evidence.synapse_fit import calibration_cells, fitted, with_constants
from tlm.config.tables.synapse_memory import Cell, load_synapse_memory
from tlm.synapses.cost import SynapseCost
from tlm.synapses.published import (
    PublishedCell,
    errors,
    figures,
    predicted,
    published_cells,
)
from tlm.validation.markdown import table

PAGE = DOCS / "memory-organisation.md"
TABLE = load_synapse_memory()
SWEEP = (0.05, 0.1, 0.2, 0.25, 0.4, 0.45, 0.5, 0.7, 0.75, 0.95, 1.0)
KINDS = {"uj": "energy", "ms": "time", "mw": "leakage"}
LAYERS = {"fc": "fully connected", "conv": "convolution"}


def named_cell(cell: PublishedCell) -> str:
    """What a reader calls it."""
    key = cell.key
    where = f"{key.organisation} {key.width} b"
    if key.layer == "conv":
        return f"conv {where}, {key.window} x {key.window}, {key.filters} filters, {key.image}²"
    return f"{where}, {key.inputs} x {key.outputs}, d = {key.density:g}"


def error_table(cells: Sequence[PublishedCell]) -> str:
    """Median, nine tenths and worst of the errors' sizes, by layer and figure."""
    rows = []
    for layer, words in LAYERS.items():
        for unit, what in KINDS.items():
            sizes = sorted(
                (abs(error), f"{named_cell(cell)}: {name.split('_')[0]} {error:+.0%}")
                for cell in cells
                if cell.key.layer == layer
                for name, error in errors(cell, TABLE).items()
                if name.endswith(unit)
            )
            values = [size for size, _ in sizes]
            rows.append(
                (
                    words,
                    what,
                    str(len(sizes)),
                    f"{median(values):.1%}",
                    f"{values[len(values) * 9 // 10]:.1%}",
                    sizes[-1][1],
                )
            )
    return table(("layer", "figure", "figures", "median", "9 of 10 below", "worst"), rows)


def without_each() -> str:
    """Errors in energy of each calibration cell, fitted with it and without it."""
    cells = calibration_cells(TABLE)
    rows = []
    for cell in cells:
        others = [other for other in cells if other is not cell]
        without = with_constants(TABLE, fitted(TABLE, others))
        shown = [
            f"{errors(cell, each)[name]:+.1%}"
            for name in ("forward_uj", "backward_uj")
            for each in (TABLE, without)
        ]
        rows.append((named_cell(cell), *shown))
    columns = ("cell", "forward", "without it", "backward", "without it")
    return table(columns, rows)


def sweep_table() -> str:
    """Energy of both passes over density, and the least."""
    rows = []
    for density in SWEEP:
        theirs = {
            name: _published_uj(name, 1.0 if name == "crossbar" else density)
            for name in ("crossbar", "pb-bmp", "pb-csr")
        }
        ours = {name: _cost(name, density).energy_pj / 1e6 for name in theirs}
        shown = [text for name in theirs for text in (f"{theirs[name]:.2f}", f"{ours[name]:.2f}")]
        least = (min(sizes, key=sizes.__getitem__) for sizes in (theirs, ours))
        rows.append((f"{density:g}", *shown, *least))
    columns = ("density", "crossbar", "ours", "pb-bmp", "ours", "pb-csr", "ours", "least", "ours")
    return table(columns, rows)


def functional_table() -> str:
    """Backward energy of Func-RowCol over that of PB-CSR and PB-BMP, published and ours."""
    rows = []
    for sizes in ((2, 3, 32, 28), (8, 3, 32, 28), (12, 3, 32, 28), (8, 7, 32, 28), (8, 3, 16, 28),
                  (8, 3, 64, 28), (8, 3, 32, 128)):  # fmt: skip
        width, window, filters, image = sizes
        row = [f"{width} b, {window} x {window}, {filters} filters, {image}²"]
        for other in ("pb-csr", "pb-bmp"):
            theirs, ours = (
                [_backward_uj(name, sizes, is_published) for name in ("func-rowcol", other)]
                for is_published in (True, False)
            )
            row += [f"{theirs[0] / theirs[1]:.3f}", f"{ours[0] / ours[1]:.3f}"]
        rows.append(tuple(row))
    return table(("layer", "/ pb-csr", "ours", "/ pb-bmp", "ours"), rows)


def leaking_table() -> str:
    """The same at 8 bits with leakage over the time of the pass."""
    rows = []
    for name in ("func-rowcol", "pb-csr"):
        key = _convolution(name, (8, 3, 32, 28))
        cell = next(cell for cell in published_cells() if cell.key == key)
        shown = [
            each["backward_uj"] + each["leakage_mw"] * each["backward_ms"]
            for each in (cell.figures, figures(predicted(key, TABLE)))
        ]
        rows.append((name, *(f"{uj:.2f} uJ" for uj in shown)))
    return table(("backward with leakage", "published", "ours"), rows)


def network_table() -> str:
    """The 700-400-250 network: crossbar at 5 and 2 bits against PB-BMP at 2 bits."""
    theirs = {
        "crossbar 5 b": 23.055,
        "crossbar 2 b": 20.306,
        "pb-bmp 2 b": 16.837,
    }
    rows = [
        (name, f"{uj:.2f} uJ", f"{network_uj(*_parts(name)):.2f} uJ") for name, uj in theirs.items()
    ]
    for above in ("crossbar 5 b", "crossbar 2 b"):
        ratios = (
            theirs[above] / theirs["pb-bmp 2 b"],
            network_uj(*_parts(above)) / network_uj("pb-bmp", 2),
        )
        rows.append((f"{above} / pb-bmp 2 b", *(f"{ratio:.3f}" for ratio in ratios)))
    return table(("energy of both passes, both layers", "published", "ours"), rows)


def network_uj(organisation: str, width: int) -> float:
    """Both passes over both layers, at the densities of the trained weights (.65 and .64)."""
    return (
        sum(
            predicted(
                Cell(
                    layer="fc",
                    organisation=organisation,
                    width=width,
                    density=density,
                    inputs=inputs,
                    outputs=outputs,
                ),
                TABLE,
            ).energy_pj
            for inputs, outputs, density in ((700, 400, 0.65), (400, 250, 0.64))
        )
        / 1e6
    )


def cell_table(cells: Iterable[PublishedCell]) -> str:
    """Every figure of the published table, and the error of ours."""
    names = ("forward_uj", "backward_uj", "forward_ms", "backward_ms", "leakage_mw")
    rows = []
    for cell in cells:
        off = errors(cell, TABLE)
        shown = [
            f"{cell.figures[name]:.4g} {off[name]:+.0%}" if name in off else "" for name in names
        ]
        mark = "*" if cell.key in TABLE.calibration else ""
        rows.append((f"{named_cell(cell)} {mark}", *shown))
    columns = ("cell", "forward uJ", "backward uJ", "forward ms", "backward ms", "leakage mW")
    return table(columns, rows)


def main() -> None:
    """Write every section."""
    cells = [cell for cell in published_cells() if cell.group != "network"]
    rest = [cell for cell in cells if cell.key not in TABLE.calibration]
    for name, text in (
        ("errors", error_table(rest)),
        ("without each", without_each()),
        ("density", sweep_table()),
        ("functional", f"{functional_table()}\n{leaking_table()}"),
        ("network", network_table()),
        ("cells", cell_table(cells)),
    ):
        replace_section(PAGE, name, text)


def _parts(name: str) -> tuple[str, int]:
    organisation, width, _ = name.split()
    return organisation, int(width)


def _cost(organisation: str, density: float) -> SynapseCost:
    return predicted(_fully_connected(organisation, density), TABLE)


def _fully_connected(organisation: str, density: float) -> Cell:
    return Cell(
        layer="fc", organisation=organisation, width=8, density=density, inputs=784, outputs=128
    )


def _published_uj(organisation: str, density: float) -> float:
    key = _fully_connected(organisation, density)
    shown = next(cell for cell in published_cells() if cell.key == key).figures
    return shown.get("both_uj") or shown["forward_uj"] + shown["backward_uj"]


def _convolution(organisation: str, sizes: tuple[int, int, int, int]) -> Cell:
    width, window, filters, image = sizes
    return Cell(
        layer="conv",
        organisation=organisation,
        width=width,
        window=window,
        filters=filters,
        image=image,
    )


def _backward_uj(organisation: str, sizes: tuple[int, int, int, int], is_published: bool) -> float:
    key = _convolution(organisation, sizes)
    if not is_published:
        return predicted(key, TABLE).backward.energy_pj / 1e6
    return next(cell for cell in published_cells() if cell.key == key).figures["backward_uj"]


if __name__ == "__main__":
    main()
