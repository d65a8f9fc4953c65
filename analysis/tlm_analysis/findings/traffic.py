"""What moved: DRAM bytes over time and transaction latencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.space.array_types import Floats, Ints
from tlm.trace import Trace
from tlm.trace.dram_bytes import moved_nbytes
from tlm.trace.schema import COMMAND_NAMES

QUANTILES = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True)
class DramTraffic:
    """Bytes read from and written to all DRAM channels in each window.

    ``edges_ps`` has shape [W+1], ``read_nbytes`` and ``write_nbytes`` [W].
    """

    edges_ps: Ints
    read_nbytes: Floats
    write_nbytes: Floats

    @property
    def read_gb_s(self) -> Floats:
        """Read bandwidth, GB/s (1e9 bytes), [W]."""
        return self._gb_s(self.read_nbytes)

    @property
    def write_gb_s(self) -> Floats:
        """Write bandwidth, GB/s (1e9 bytes), [W]."""
        return self._gb_s(self.write_nbytes)

    def _gb_s(self, nbytes: Floats) -> Floats:
        return nbytes / np.maximum(1, np.diff(self.edges_ps)) * 1e3  # bytes/ps = TB/s


@dataclass(frozen=True)
class Latency:
    """Distribution of ``end_resp - begin_req`` of one command, ps."""

    command: str
    count: int
    mean_ps: float
    median_ps: float
    p99_ps: float
    max_ps: int


def dram_traffic(trace: Trace, edges_ps: Ints, peak_gb_s: float) -> DramTraffic:
    """DRAM bytes by window, of all channels, whose peaks add up to ``peak_gb_s``.

    See :func:`tlm.trace.dram_bytes.moved_nbytes` for when bytes count.
    """
    rows = trace.transactions
    channels = trace.unit_ids("dram").tolist()
    bytes_per_ps = peak_gb_s / 1e3 / max(1, len(channels))
    moved = [
        moved_nbytes(rows[rows["target"] == unit], edges_ps.astype(float), bytes_per_ps)
        for unit in channels
    ]
    none = np.zeros(len(edges_ps) - 1)
    read, written = (sum((part[which] for part in moved), none) for which in (0, 1))
    return DramTraffic(edges_ps, read, written)


def latencies(trace: Trace) -> tuple[Latency, ...]:
    """Latency of each command that occurs, in the order of the command numbers."""
    rows = trace.transactions
    latency_ps = rows["end_resp"] - rows["begin_req"]
    return tuple(
        _latency(name, latency_ps[rows["command"] == command])
        for command, name in enumerate(COMMAND_NAMES)
        if np.any(rows["command"] == command)
    )


def latency_curves(trace: Trace) -> dict[str, Floats]:
    """Latency in ns at each of ``QUANTILES``, for every command that occurs."""
    rows = trace.transactions
    latency_ps = rows["end_resp"] - rows["begin_req"]
    return {
        name: np.quantile(latency_ps[rows["command"] == command], QUANTILES) / 1e3
        for command, name in enumerate(COMMAND_NAMES)
        if np.any(rows["command"] == command)
    }


def _latency(command: str, latency_ps: Ints) -> Latency:
    median, p99 = np.quantile(latency_ps, [0.5, 0.99])
    return Latency(
        command,
        len(latency_ps),
        float(latency_ps.mean()),
        float(median),
        float(p99),
        int(latency_ps.max()),
    )
