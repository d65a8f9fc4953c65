"""The look of all figures, and how they are written: no display, no dates, equal bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from tlm.files import make_folder, whole_file

WIDTH_INCH, HEIGHT_INCH, DPI = 12.8, 8.0, 100  # 1280 x 800 pixels

# Okabe and Ito, "Color universal design" (2008): distinct to readers of any colour vision.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#F0E442"
BROWN, WARNING = "#8B5A2B", "#8A1C00"
LIGHT_GREY, GREY, DARK = "#E4E4E4", "#9A9A9A", "#222222"
_LOOK: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "figure.labelsize": 13,
    "axes.titlesize": 15,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": DARK,
    "axes.labelcolor": DARK,
    "text.color": DARK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "xtick.color": DARK,
    "ytick.color": DARK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "tlm",
}


@contextmanager
def style() -> Iterator[None]:
    """The look; a figure must be both drawn and saved inside it.

    A letter of a name that the font lacks is drawn as a box, without a warning.
    """
    with warnings.catch_warnings(), mpl.rc_context(_LOOK):
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def new_figure(height_inch: float = HEIGHT_INCH) -> Figure:
    """An empty figure of the common width, with constrained layout."""
    return Figure(figsize=(WIDTH_INCH, height_inch), dpi=DPI, layout="constrained")


def plain_log(axis: Axis, *ticks: float) -> None:
    """A logarithmic axis whose ticks, ``ticks`` times powers of ten, are plain numbers.

    matplotlib writes powers as mathematics, which no figure here shows.
    """
    axis.set_major_locator(LogLocator(subs=ticks or (1.0,)))
    axis.set_major_formatter("{x:,.10g}")
    axis.set_minor_formatter(NullFormatter())


def mark(figure: Figure, note: str) -> Figure:
    """The figure with a note under it that a reader must not miss; without one, as it is."""
    if note:
        with style():
            figure.supxlabel(note, color=WARNING, weight="bold")
    return figure


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file; equal figures, equal bytes."""
    return _drawn(figure, "png", {"Software": None})


def _drawn(figure: Figure, form: str, metadata: dict[str, str | None]) -> bytes:
    file = BytesIO()
    with style():
        figure.savefig(file, format=form, metadata=metadata)
    return file.getvalue()


def save(figure: Figure, run_dir: Path, name: str) -> list[Path]:
    """Write ``plots/NAME.png`` and ``.svg`` into the run folder; equal figures, equal bytes."""
    folder = run_dir / "plots"
    make_folder(folder)
    raster, vector = folder / f"{name}.png", folder / f"{name}.svg"
    with whole_file(raster) as part:
        part.write_bytes(png(figure))
    figure.set_layout_engine("none")  # what has been laid out stays: it is half of the time
    with whole_file(vector) as part:
        part.write_bytes(_drawn(figure, "svg", {"Date": None, "Creator": None}))
    return [raster, vector]
