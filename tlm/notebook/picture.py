"""Picture: a figure that a notebook shows and a script saves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlm.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure drawn in our style, whatever style and backend the notebook has chosen.

    ``png`` is its file, 1280 x 800 pixels; ``figure`` is Matplotlib's own object.
    """

    figure: Figure
    png: bytes

    def save(self, path: str | Path) -> Path:
        """Write the picture as PNG; returns the path."""
        place = Path(path)
        with whole_file(place) as part:
            part.write_bytes(self.png)
        return place

    def __repr__(self) -> str:
        return f"<Picture, {len(self.png):,} bytes; .save('picture.png') writes it>"

    def _repr_png_(self) -> bytes:
        return self.png
