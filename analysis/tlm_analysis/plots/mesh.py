"""Figure: the mesh, each link and port coloured by how busy it was."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from tlm_analysis.findings.links import LinkUse
from tlm_analysis.plots.canvas import DARK, LIGHT_GREY, new_figure, style

Rgba = tuple[float, float, float, float]
MAP = "viridis_r"  # busy is dark, idle is light, on white
_STEP = {"east": (1, 0), "west": (-1, 0), "south": (0, 1), "north": (0, -1)}
_SIDE = 0.2  # half a node
_APART = 0.08  # of the two directions of a link


def mesh_figure(use: LinkUse) -> Figure:
    """Nodes as squares, a link's two directions as arrows beside each other, DRAM ports as bars."""
    busiest = max([*use.links.values(), *use.ports.values()], default=0.0)
    scale, shades = Normalize(0, max(busiest, 1e-9)), mpl.colormaps[MAP]
    with style():
        figure = new_figure(min(9.0, 2.0 + 1.45 * use.rows))
        axes = figure.subplots()
        for node in range(use.columns * use.rows):
            _node(axes, use, node)
        for (node, direction), share in use.links.items():
            _arrow(axes, use, node, direction, shades(scale(share)))
        for (kind, channel, way), share in use.ports.items():
            if kind == "dram":
                _port(axes, use, channel, way, share, shades(scale(share)))
        axes.set_xlim(-0.6, use.columns - 0.4)
        axes.set_ylim(use.rows - 0.4, -0.6)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title(f"Mesh {use.columns} x {use.rows}: busiest link or port {busiest:.1%}")
        figure.colorbar(
            ScalarMappable(scale, shades),
            ax=axes,
            label="share of the run busy",
            format=PercentFormatter(1.0),
        )
    return figure


def _node(axes: Axes, use: LinkUse, node: int) -> None:
    x, y = node % use.columns, node // use.columns
    square = Rectangle((x - _SIDE, y - _SIDE), 2 * _SIDE, 2 * _SIDE, facecolor=LIGHT_GREY)
    square.set_edgecolor(DARK)
    axes.add_patch(square)
    axes.text(x, y, f"{node:02d}", ha="center", va="center", fontsize=11)


def _arrow(axes: Axes, use: LinkUse, node: int, direction: str, colour: Rgba) -> None:
    dx, dy = _STEP[direction]
    x = node % use.columns + dx * _SIDE - dy * _APART
    y = node // use.columns + dy * _SIDE + dx * _APART
    length = 1 - 2 * _SIDE
    axes.annotate(
        "",
        (x + dx * length, y + dy * length),
        (x, y),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 3, "shrinkA": 0, "shrinkB": 0},
    )


def _port(axes: Axes, use: LinkUse, channel: int, way: str, share: float, colour: Rgba) -> None:
    """A channel's port at the corner of its node: what it reads out above, what it takes below.

    Channels at one node share its corner, one below the other.
    """
    node = use.dram_nodes[channel]
    mates = [other for other, place in enumerate(use.dram_nodes) if place == node]
    height = _SIDE / len(mates)
    x = node % use.columns + _SIDE
    top = node // use.columns + (-2 * _SIDE if way == "inject" else _SIDE)
    top += height * mates.index(channel)
    axes.add_patch(Rectangle((x, top), _SIDE, height, facecolor=colour, edgecolor=DARK))
    name = f"dram{channel} " if len(use.dram_nodes) > len(set(use.dram_nodes)) else ""
    words = f"{name}{'out' if way == 'inject' else 'in'} {share:.0%}"
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1 / len(mates)}
    middle = (x + 1.2 * _SIDE, top + height / 2)
    size = 9 if len(mates) == 1 else 7
    axes.text(*middle, words, va="center", fontsize=size, bbox=ground, zorder=5)
