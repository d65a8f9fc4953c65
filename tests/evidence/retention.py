"""Section "Pattern retention": how far an output is from its pattern, and what its synapses cost.

``python -m tests.evidence.retention --train [--bits B ...] [--density D ...]`` trains points of the
plane of width and density (torch; half a minute a point) and keeps them in
``docs/studies/retention.csv``, data with the bundled recipe and seed. Without ``--train`` it writes
section and figure: energies are computed anew from the points each time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tlm_analysis.plots.fabric import Curve, CurvePanel, panel_figure, write_png

from tests.evidence.page import DOCS, STUDIES, read_csv, replace_section, update_csv
from tests.evidence.retention_points import (
    BITS,
    DENSITIES,
    KEYS,
    ORGANISATIONS,
    RESULTS,
    SEED,
    Point,
    Row,
    averaged,
    by_point,
    cheapest,
    front,
    of,
    points,
    recipe,
    share,
    spread,
    train_point,
)
from tlm.validation.markdown import table

FIGURE = DOCS / "figures" / "retention.png"
PUBLISHED_BITS = 12  # the widest weights of the published table


def section(rows: Sequence[Row]) -> str:
    """The plane of distances, what equal distance costs, the front, and the trade in a sentence."""
    plane, chance = averaged(rows), spread(rows)
    every, trained = points(plane), recipe(BITS[0], 1)
    twice = sum(len(alike) > 1 for alike in by_point(rows))
    return f"""## Pattern retention

A network of 700, 400 and 250 current-based LIF neurons learns to answer one frozen input
({trained.input_rate_hz:g} Hz Poisson-like, {trained.steps} steps of 1 ms) with one pattern of our
own: the letters T, L and M written in spikes over time and neurons
(`tlm/workload/training/retention/pattern.py`). Surrogate gradients, van Rossum distance with
{trained.filter_ms:g} ms, Adamax, {trained.epochs} epochs for every point: half a minute of one CPU
core each. Weights have a symmetric grid and straight-through gradients; while they are trained they
are kept in 16 bits and rounded at random, which no energy here includes. Pruning is gradual, by
magnitude, of each layer alike. {twice} of the {len(plane)} points were trained with two seeds, and
their means are shown; the seed moves a point by at most {chance:.3f}.
`python -m tests.evidence.retention --train` trains the plane again; its points are in
`docs/studies/retention.csv`.

Distance to the pattern, as a share of that of a silent output ({float(rows[0]["silence"]):.1f}),
by width and density; in brackets the densities of both layers where weights that are rounded to
zero lower them:

{plane_table(plane)}

Energy of a point is that of a forward pass, a backward pass and the update over all synapses of
both layers, at the densities that the weights ended with ([model](memory-organisation.md)). The
crossbar of each width, and the least energy of other organisations that come at least as near:

{trade_table(every)}

{trade_sentence(every, chance)}
Weights of 2 bits have zeros enough for a bitmap without pruning.

The published claim compares the crossbar of the best distance with a PB-BMP that is 4 % worse, and
gains 1.37 times. Here, up to its {PUBLISHED_BITS} bits, {published_comparison(every)}.

![retention](figures/{FIGURE.name})

On the left all points and the front of each organisation; on the right the front of every width,
each point in its cheapest organisation. The points of the whole front:

{front_table(every)}
"""


def plane_table(rows: Sequence[Row]) -> str:
    """Distances over silence's, a row a density."""
    lines = []
    for density in sorted({row["pruned_to"] for row in rows}, key=float, reverse=True):
        mine = {int(row["bits"]): row for row in rows if row["pruned_to"] == density}
        lines.append((density, *(plane_cell(mine[bits]) for bits in sorted(mine))))
    return table(("density", *(f"{bits} b" for bits in BITS)), lines)


def plane_cell(row: Row) -> str:
    """A distance, and densities that differ from what was asked."""
    shares = [float(row["density_0"]), float(row["density_1"])]
    lowered = max(shares) < float(row["pruned_to"]) - 0.005
    beside = f" ({shares[0]:.2f}, {shares[1]:.2f})" if lowered else ""
    return f"{share(row):.3f}{beside}"


def crossbars(every: Sequence[Point]) -> list[Point]:
    """The nearest crossbar of each width, by width; pruning saves it nothing."""
    mine = of("crossbar", every)
    widths = ([point for point in mine if point.row["bits"] == str(bits)] for bits in BITS)
    return [min(points, key=lambda point: point.distance) for points in widths]


def trade_table(every: Sequence[Point]) -> str:
    """What other organisations cost that come as near as the crossbar of a width."""
    lines = []
    for crossbar in crossbars(every):
        near = [cheapest(of(name, every), crossbar.distance) for name in ORGANISATIONS[1:]]
        others = (f"{point.energy_uj:.2f} uJ, {point.name}" for point in near)
        lines.append(
            (
                f"{crossbar.distance:.3f}",
                f"{crossbar.energy_uj:.2f} uJ, {crossbar.row['bits']} b",
                *others,
            )
        )
    return table(("distance", *ORGANISATIONS), lines)


def trade_sentence(every: Sequence[Point], chance: float) -> str:
    """What the cheapest point saves at the distance of the cheapest crossbar, or near it."""
    crossbar = min(crossbars(every), key=lambda point: point.energy_uj)
    winner, near = (cheapest(every, crossbar.distance + more) for more in (0, chance))
    saved, more = (1 - point.energy_uj / crossbar.energy_uj for point in (winner, near))
    return (
        f"At equal distance (at most {crossbar.distance:.3f}) {winner.organisation} of "
        f"{winner.name} costs {saved:.0%} less than the cheapest crossbar, of "
        f"{crossbar.row['bits']} b; within what chance moves, {near.organisation} of {near.name} "
        f"({near.distance:.3f}) costs {more:.0%} less."
    )


def published_comparison(every: Sequence[Point]) -> str:
    """The best crossbar of a published width beside a PB-BMP at most 4 % worse in distance."""
    widths = [p for p in crossbars(every) if int(p.row["bits"]) <= PUBLISHED_BITS]
    crossbar = min(widths, key=lambda point: point.distance)
    bitmap = cheapest(of("pb-bmp", every), crossbar.distance * 1.04)
    gain = crossbar.energy_uj / bitmap.energy_uj
    worse = bitmap.distance / crossbar.distance - 1
    return (
        f"crossbar of {crossbar.row['bits']} b ({crossbar.distance:.3f}) costs {gain:.2f} times "
        f"pb-bmp of {bitmap.name}, {worse:.0%} worse"
    )


def front_table(every: Sequence[Point]) -> str:
    """The front of all organisations and widths."""
    lines = [
        (point.organisation, point.name, f"{point.distance:.3f}", f"{point.energy_uj:.2f}")
        for point in front(every)
    ]
    return table(("organisation", "weights", "distance", "energy, uJ"), lines)


def figure(every: Sequence[Point]) -> None:
    """Distance over energy: fronts by organisation with all points, fronts by width."""
    curves = []
    for group, organisation in enumerate(ORGANISATIONS):
        mine = of(organisation, every)
        curves += [_curve("", mine, group, True), _curve(organisation, front(mine), group)]
    widths = [
        _curve(f"{bits} b", front(p for p in every if p.row["bits"] == str(bits)), group)
        for group, bits in enumerate(BITS)
    ]
    axes = ("energy of both passes, uJ", "distance / that of silence")
    floor = 0.9 * min(point.distance for point in every)
    panels = [
        CurvePanel(title, of_panel, *axes, y_min=floor)
        for title, of_panel in (("by organisation", curves), ("by width", widths))
    ]
    write_png(panel_figure(panels, columns=2), FIGURE)


def _curve(label: str, chosen: Sequence[Point], group: int, reference: bool = False) -> Curve:
    x, y = [p.energy_uj for p in chosen], [p.distance for p in chosen]
    return Curve(label, x, y, reference, group)


def main(arguments: list[str]) -> None:
    """Train some or all points, or write the section from those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="train the points first")
    parser.add_argument("--bits", nargs="+", type=int, default=BITS)
    parser.add_argument("--density", nargs="+", type=float, default=DENSITIES)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args(arguments)
    for density in asked.density if asked.train else ():
        for bits in asked.bits:
            update_csv(RESULTS, KEYS, [train_point(bits, density, asked.seed)])
    rows = read_csv(RESULTS)
    replace_section(STUDIES, "retention", section(rows))
    figure(points(averaged(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
