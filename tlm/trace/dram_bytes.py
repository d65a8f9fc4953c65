"""What a DRAM channel moved in each window of time: never more than its bus carries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tlm.space.phase import Command

Windows = NDArray[np.float64]


def moved_nbytes(
    rows: NDArray[np.void], edges_ps: NDArray[np.float64], bytes_per_ps: float
) -> tuple[Windows, Windows]:
    """Bytes read and written by a channel's transactions in each window.

    A trace says when the data of a read had been moved, and when a write was accepted, but not when
    its data were moved. So reads count as late as their answers allow, and writes as soon after
    their acceptance as the bus has room for them.
    """
    carried = bytes_per_ps * np.diff(edges_ps)
    reads = rows["command"] == Command.READ
    due = [
        np.histogram(part["begin_resp"], edges_ps, weights=part["nbytes"])[0]
        for part in (rows[reads], rows[~reads])
    ]
    read = _within(due[0][::-1], carried[::-1])[::-1]
    return read, _within(due[1], carried - read)


def _within(due: Windows, carried: Windows) -> Windows:
    """What is due in each window, what is more than the bus carries then in the next ones."""
    moved = np.zeros(len(due))
    waiting = 0.0
    for window, (nbytes, room) in enumerate(zip(due.tolist(), carried.tolist(), strict=True)):
        waiting += nbytes
        moved[window] = min(waiting, room)
        waiting -= moved[window]
    return moved
