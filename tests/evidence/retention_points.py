"""The points of the plane of pattern retention: trained, as kept, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from tests.evidence.page import DOCS
from tlm.config.tables.synapse_memory import load_synapse_memory
from tlm.synapses.cost import synapse_cost
from tlm.synapses.published import EvenCounts
from tlm.workload.recipe import RetentionRecipe
from tlm.workload.training.record import load_recipe

RESULTS = DOCS / "studies" / "retention.csv"
TABLE = load_synapse_memory()
BITS = (2, 3, 4, 5, 8, 16)
DENSITIES = (1.0, 0.65, 0.3, 0.1)
SEED = 1  # of every point; a second one says how far chance moves it
KEYS = ("bits", "pruned_to", "seed")
MEASURED = ("distance", "density_0", "density_1")
ORGANISATIONS = ("crossbar", "pb-bmp", "pb-csr")

Row = dict[str, str]


def recipe(bits: int, density: float, seed: int = SEED) -> RetentionRecipe:
    """The bundled recipe at another point of the plane, or with another seed."""
    bundled = load_recipe("pattern-retention")
    assert isinstance(bundled, RetentionRecipe)
    return replace(bundled, weight_bits=bits, density=density, seed=seed)


def train_point(bits: int, density: float, seed: int) -> Row:
    """Train one point; its distance and the densities that its weights end with."""
    from tlm.workload.training.retention.loop import RetentionTraining

    training = RetentionTraining(recipe(bits, density, seed))
    for number in range(training.recipe.epochs):
        training.epoch(number)
    return {
        "bits": str(bits),
        "pruned_to": str(density),
        "epochs": str(training.recipe.epochs),
        "seed": str(training.recipe.seed),
        "distance": f"{training.forward_backward():.3f}",
        "silence": f"{training.silence:.3f}",
        "density_0": f"{training.synapses[0].density:.4f}",
        "density_1": f"{training.synapses[1].density:.4f}",
    }


def by_point(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that differ in their seed alone, together."""
    points: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        points.setdefault((row["bits"], row["pruned_to"]), []).append(row)
    return list(points.values())


def averaged(rows: Sequence[Row]) -> list[Row]:
    """One row a point: means over the seeds that it was trained with."""
    return [
        alike[0] | {name: str(fmean(float(row[name]) for row in alike)) for name in MEASURED}
        for alike in by_point(rows)
    ]


def spread(rows: Sequence[Row]) -> float:
    """How far another seed moves a point, at the most."""
    shares = [[share(row) for row in alike] for alike in by_point(rows)]
    return max(max(several) - min(several) for several in shares)


def share(row: Row) -> float:
    """Distance over that of silence."""
    return float(row["distance"]) / float(row["silence"])


@dataclass(frozen=True)
class Point:
    """A trained point in an organisation: distance as a share of silence's, energy."""

    organisation: str
    row: Row
    distance: float
    energy_uj: float

    @property
    def name(self) -> str:
        """Width and densities of the weights as they ended."""
        row = self.row
        return f"{row['bits']} b, d {float(row['density_0']):.2f} and {float(row['density_1']):.2f}"


def point_energy(organisation: str, inputs: int, outputs: int, width: int, density: float) -> float:
    """uJ of a forward pass and a backward pass with the update over one layer's synapses."""
    counts = EvenCounts(inputs, outputs, width, density)
    return synapse_cost(organisation, counts, TABLE).energy_pj / 1e6


def points(rows: Sequence[Row]) -> list[Point]:
    """Every trained point in every organisation."""
    neurons = recipe(BITS[0], 1).neurons
    return [
        Point(
            organisation,
            row,
            share(row),
            sum(
                point_energy(organisation, inputs, outputs, int(row["bits"]), float(row[density]))
                for (inputs, outputs), density in zip(
                    pairwise(neurons), ("density_0", "density_1"), strict=True
                )
            ),
        )
        for organisation in ORGANISATIONS
        for row in rows
    ]


def front(candidates: Iterable[Point]) -> list[Point]:
    """Those that no other beats in both, by rising energy."""
    kept: list[Point] = []
    for point in sorted(candidates, key=lambda point: (point.energy_uj, point.distance)):
        if not kept or point.distance < kept[-1].distance:
            kept.append(point)
    return kept


def cheapest(candidates: Iterable[Point], distance: float) -> Point:
    """The least energy at no more than a distance."""
    near = [point for point in candidates if point.distance <= distance]
    return min(near, key=lambda point: point.energy_uj)


def of(organisation: str, every: Sequence[Point]) -> list[Point]:
    """The points of one organisation."""
    return [point for point in every if point.organisation == organisation]
