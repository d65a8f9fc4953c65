"""How far packet latencies of model ``packet`` are off, by how busy the busiest link is.

Measured against BookSim2 at every reference point below 97 % of its saturation: four patterns on
4x4 and 8x8 meshes, packets of 1 and 5 flits. The table "Latency of the packet model by busiest
link" of docs/validation.md, which ``python -m tlm validate`` writes, is this one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

TOLERANCE = 0.10  # of latency, to which docs/validation.md says how far the model can be trusted


class PacketError(NamedTuple):
    """Error of mean latency where the busiest link is busy for ``use`` of the time, or more.

    Up to the ``use`` of the next row. ``vcs`` are the virtual channels of the reference: more of
    them come nearer to the unbounded buffers of model ``packet``.
    """

    vcs: int
    use: float
    points: int
    median: float
    p90: float
    largest: float


PACKET_ERRORS = (
    PacketError(1, 0.0, 52, 0.012, 0.059, 0.413),
    PacketError(1, 0.3, 26, 0.072, 0.297, 0.626),
    PacketError(1, 0.5, 17, 0.182, 0.449, 0.681),
    PacketError(1, 0.7, 6, 0.428, 0.872, 0.872),
    PacketError(2, 0.0, 26, 0.009, 0.017, 0.024),
    PacketError(2, 0.3, 16, 0.021, 0.088, 0.105),
    PacketError(2, 0.5, 15, 0.102, 0.305, 0.527),
    PacketError(2, 0.7, 8, 0.029, 0.558, 0.558),
    PacketError(4, 0.0, 61, 0.010, 0.027, 0.041),
    PacketError(4, 0.3, 40, 0.021, 0.083, 0.126),
    PacketError(4, 0.5, 36, 0.067, 0.189, 0.286),
    PacketError(4, 0.7, 40, 0.085, 0.367, 0.488),
)


def error_at(vcs: int, use: float) -> PacketError:
    """What was measured of at most as many virtual channels, with so busy a link."""
    return [row for row in _measured(vcs) if row.use <= use][-1]


def trusted_use(vcs: int) -> float:
    """The use of the busiest link from which on one point in ten misses by ``TOLERANCE``."""
    return min((row.use for row in _measured(vcs) if row.p90 > TOLERANCE), default=math.inf)


def _measured(vcs: int) -> list[PacketError]:
    most = max(row.vcs for row in PACKET_ERRORS if row.vcs <= vcs)
    return [row for row in PACKET_ERRORS if row.vcs == most]
