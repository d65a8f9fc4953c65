"""The model's energies and times beside the published table."""

from collections.abc import Callable, Iterable
from itertools import groupby, pairwise
from random import Random
from statistics import median

import pytest

from tests.evidence.synapse_fit import START, calibration_cells, fitted, value
from tlm.config.tables.synapse_memory import Cell, load_synapse_memory
from tlm.synapses.published import PublishedCell, errors, predicted, published_cells

TABLE = load_synapse_memory()
CALIBRATION = set(TABLE.calibration)
PREDICTED = [cell for cell in published_cells() if cell.key not in CALIBRATION]
SWEEP = (0.05, 0.1, 0.2, 0.25, 0.4, 0.45, 0.5, 0.7, 0.75, 0.95, 1.0)


def middle(cells: Iterable[PublishedCell], unit: str) -> float:
    """Median of the errors' sizes over all figures in a unit."""
    return median(
        abs(error)
        for cell in cells
        for name, error in errors(cell, TABLE).items()
        if name.endswith(unit)
    )


def energy_uj(organisation: str, density: float = 1.0, width: int = 8) -> float:
    """Both passes at 784 x 128, by the model."""
    key = Cell(
        layer="fc",
        organisation=organisation,
        width=width,
        density=density,
        inputs=784,
        outputs=128,
    )
    return predicted(key, TABLE).energy_pj / 1e6


def published_uj(organisation: str, density: float) -> float:
    """Both passes at 784 x 128 and 8 bits, as published."""
    (cell,) = (
        cell
        for cell in published_cells()
        if (cell.key.organisation, cell.key.density, cell.key.width, cell.key.inputs)
        == (organisation, density, 8, 784)
    )
    both = cell.figures.get("both_uj")
    return both or cell.figures["forward_uj"] + cell.figures["backward_uj"]


def test_the_calibration_is_a_quarter_of_the_cells_at_most() -> None:
    """13 cells of the table; each is there, and none is of the network of the headline."""
    cells = calibration_cells(TABLE)
    assert len(cells) == 13
    assert {cell.group for cell in cells} == {"cell"}
    assert len(cells) <= len([cell for cell in published_cells() if cell.group == "cell"]) / 4


def test_the_constants_of_the_table_are_those_that_its_cells_give() -> None:
    """Fitted again: three digits."""
    for name, constant in zip(START, fitted(TABLE, calibration_cells(TABLE)), strict=True):
        assert value(TABLE, name) == pytest.approx(constant, rel=5e-3), name


@pytest.mark.parametrize("layer", ["fc", "conv"])
@pytest.mark.parametrize(("unit", "most"), [("uj", 0.08), ("ms", 0.02)])
def test_the_median_error_of_predicted_cells(layer: str, unit: str, most: float) -> None:
    """Energy and time, of cells that calibrated nothing."""
    for group in ("cell", "rounded"):
        cells = [c for c in PREDICTED if c.key.layer == layer and c.group == group]
        if unit == "uj" or group == "cell":
            assert middle(cells, unit) < most, group


@pytest.mark.parametrize("seed", range(4))
def test_either_half_of_the_predicted_cells_has_the_same_error(seed: int) -> None:
    """Halves drawn at random: no few cells make the median."""
    cells = list(PREDICTED)
    Random(seed).shuffle(cells)
    for half in (cells[::2], cells[1::2]):
        assert middle(half, "uj") < 0.04
        assert middle(half, "ms") < 0.02


def test_no_energy_is_off_by_a_quarter() -> None:
    """Of all cells, predicted or not."""
    worst = max(
        abs(error)
        for cell in published_cells()
        for name, error in errors(cell, TABLE).items()
        if name.endswith("uj")
    )
    assert worst < 0.25


@pytest.mark.parametrize("density", SWEEP)
def test_the_ranking_over_density_is_the_published(density: float) -> None:
    """The organisation of least energy, and the order of all three."""
    names = ("crossbar", "pb-bmp", "pb-csr")
    ours = {name: energy_uj(name, density) for name in names}
    theirs = {name: published_uj(name, 1.0 if name == "crossbar" else density) for name in names}
    assert sorted(names, key=ours.__getitem__) == sorted(names, key=theirs.__getitem__)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (lambda: energy_uj("pb-bmp", 0.45), lambda: energy_uj("pb-bmp", 0.4)),
        (lambda: energy_uj("pb-bmp", 0.75), lambda: energy_uj("pb-bmp", 0.7)),
        (lambda: energy_uj("crossbar", width=4), lambda: energy_uj("crossbar", width=3)),
        (lambda: energy_uj("crossbar", width=6), lambda: energy_uj("crossbar", width=5)),
        (lambda: energy_uj("crossbar", width=12), lambda: energy_uj("crossbar", width=11)),
        (lambda: energy_uj("pb-csr", 0.25, 4), lambda: energy_uj("pb-csr", 0.25, 3)),
    ],
)
def test_a_larger_memory_takes_less_where_the_published_does(
    lower: Callable[[], float], upper: Callable[[], float]
) -> None:
    """The steps of the published table, over density and over width."""
    assert lower() < upper()


def test_every_step_in_width_of_the_crossbar_has_the_published_direction() -> None:
    """From each width to the next, for both passes."""
    widths = sorted(
        (
            cell
            for cell in published_cells()
            if cell.key.organisation == "crossbar" and cell.key.inputs == 784
        ),
        key=lambda cell: cell.key.width,
    )
    sizes = [
        (sum(cell.figures[name] for name in ("forward_uj", "backward_uj")), cell.key.width)
        for cell in widths
    ]
    for (theirs, width), (theirs_next, width_next) in pairwise(sizes):
        ours, ours_next = (energy_uj("crossbar", width=each) for each in (width, width_next))
        assert (ours < ours_next) == (theirs < theirs_next), width


def test_every_cell_stands_once() -> None:
    """A cell and its rounded copy would count twice."""
    keys = sorted(str(cell.key) for cell in published_cells())
    assert all(len(list(same)) == 1 for _, same in groupby(keys))
