"""The study of pattern retention: its points, fronts and words; and the plane as committed."""

from tests.evidence import retention, retention_points
from tests.evidence.page import read_csv
from tests.evidence.retention_points import BITS, DENSITIES, RESULTS, SEED, Point


def row(bits: int, density: float, distance: float, seed: int = SEED) -> dict[str, str]:
    """A trained point whose silent output is 50 from the pattern."""
    return {
        "bits": str(bits), "pruned_to": str(density), "seed": str(seed), "silence": "50",
        "distance": str(distance), "density_0": str(density), "density_1": str(density),
    }  # fmt: skip


def test_the_front_leaves_out_what_is_beaten_in_both() -> None:
    """Of four points the one that costs more and is further away goes, and the dearer of equals."""
    places = ((10.0, 0.6), (12.0, 0.7), (15.0, 0.5), (16.0, 0.5))
    every = [Point("crossbar", row(2, 1, 1), share, energy) for energy, share in places]
    assert [point.energy_uj for point in retention_points.front(reversed(every))] == [10.0, 15.0]
    assert retention_points.cheapest(every, 0.6).energy_uj == 10.0
    assert retention_points.cheapest(every, 0.55).energy_uj == 15.0


def test_a_point_costs_both_layers_at_their_own_densities() -> None:
    """The sum over 700 x 400 and 400 x 250; a crossbar's does not follow the density."""
    sparse, dense = row(4, 1.0, 25) | {"density_1": "0.25"}, row(4, 1.0, 25)
    energies = [
        retention_points.point_energy("pb-bmp", 700, 400, 4, 1.0),
        retention_points.point_energy("pb-bmp", 400, 250, 4, 0.25),
    ]
    costs = {
        (point.organisation, point.row["density_1"]): point.energy_uj
        for point in retention_points.points([sparse, dense])
    }
    assert costs["pb-bmp", "0.25"] == sum(energies) < costs["pb-bmp", "1.0"]
    assert costs["crossbar", "0.25"] == costs["crossbar", "1.0"]


def test_a_plane_makes_a_section() -> None:
    """Distances as shares, means over seeds, lowered densities in brackets, the trade said."""
    rows = [row(bits, density, 20 + 10 / bits) for bits in BITS for density in DENSITIES]
    rows[0]["density_0"] = rows[0]["density_1"] = "0.5"
    text = retention.section([*rows, row(3, 1.0, 26, seed=2)])
    assert "| 1.0 | 0.500 (0.50, 0.50) | 0.493 |" in text
    assert "the seed moves a point by at most 0.053" in text
    assert "At equal distance (at most " in text


def test_the_committed_plane_is_whole_and_of_the_bundled_recipe() -> None:
    """Every width and density once, with the epochs that the recipe has now."""
    rows = [row for row in read_csv(RESULTS) if row["seed"] == str(SEED)]
    places = {(int(row["bits"]), float(row["pruned_to"])) for row in rows}
    assert places == {(bits, density) for bits in BITS for density in DENSITIES}
    assert len(rows) == len(places)
    assert {row["epochs"] for row in rows} == {str(retention_points.recipe(4, 0.65).epochs)}
    assert all(float(row["distance"]) < float(row["silence"]) for row in rows)
