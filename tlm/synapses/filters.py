"""The weights of a convolution as codes: its connectivity follows from the geometry alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Bools, Ints
from tlm.synapses.matrix import SynapseMatrix, checked_codes


@dataclass(frozen=True, eq=False)
class Filters:
    """Filters of ``width``-bit codes [K, C / groups, R, S] over an image of ``image`` (H, W).

    Raises:
        WorkloadError: codes that are not whole numbers, do not fit ``width``, or whose window is
            larger than the padded image.
    """

    codes: Ints
    width: int
    image: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        if self.codes.ndim != 4 or 0 in self.codes.shape or self.codes.shape[0] % self.groups:
            raise WorkloadError(
                f"filters are an array [K, C / groups, R, S] with K a multiple of the "
                f"{self.groups} groups, this one has the shape {self.codes.shape}"
            )
        object.__setattr__(self, "codes", checked_codes(self.codes, self.width))
        if min(self.positions) < 1:
            raise WorkloadError(
                f"a window of {self.codes.shape[2:]} does not fit an image of {self.image} padded "
                f"by {self.padding}"
            )

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns (E, F) of the output."""
        rows, columns = (
            (size + 2 * pad - window) // step + 1
            for size, pad, window, step in zip(
                self.image, self.padding, self.codes.shape[2:], self.stride, strict=True
            )
        )
        return rows, columns

    def taps(self) -> int:
        """Pairs of output position and tap that lie in the image, of one filter and one channel.

        6,724 for an image of 28 x 28 and a 3 x 3 window padded by 1.
        """
        return int(self.inside(0).sum() * self.inside(1).sum())

    @property
    def synapses(self) -> int:
        """Connections between neurons: the taps of all filters and channels."""
        filters, channels = self.codes.shape[:2]
        return self.taps() * int(filters) * int(channels)

    def matrix(self) -> SynapseMatrix:
        """The weights alone as a matrix [R S C / groups, K], stored as any other.

        Channels stand together, so that the groups of N:M lie along them.
        """
        rows = self.codes.transpose(2, 3, 1, 0)
        return SynapseMatrix(rows.reshape(-1, len(self.codes)), self.width)

    def inside(self, axis: int) -> Bools:
        """Which taps lie in the image, [positions, window], along rows (0) or columns (1)."""
        first = np.arange(self.positions[axis]) * self.stride[axis] - self.padding[axis]
        place = first[:, None] + np.arange(self.codes.shape[2 + axis])
        return np.asarray((place >= 0) & (place < self.image[axis]))
