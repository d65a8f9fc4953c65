"""What a DRAM channel counts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class DramCounters:
    """Integer counters of one channel; lists are indexed by command (0 read, 1 write).

    ``bursts`` are RD and WR commands, ``nbytes`` the bytes that transactions asked for (a part
    of a burst still moves a whole one). ``precharges`` counts each bank, those before a refresh
    included. ``row_misses`` are bursts that had to wait for an activate of their own;
    ``queue_time_ps`` sums the time of every burst from acceptance to its column command, which
    is the integral of queue occupancy over time (Little's law).
    """

    burst_ps: int
    bursts: list[int] = field(default_factory=lambda: [0, 0])
    nbytes: list[int] = field(default_factory=lambda: [0, 0])
    activates: int = 0
    precharges: int = 0
    refreshes: int = 0
    row_misses: int = 0
    queue_time_ps: int = 0

    @property
    def reads(self) -> int:
        """RD commands."""
        return self.bursts[0]

    @property
    def writes(self) -> int:
        """WR commands."""
        return self.bursts[1]

    @property
    def bytes_read(self) -> int:
        """Bytes of answered read transactions."""
        return self.nbytes[0]

    @property
    def bytes_written(self) -> int:
        """Bytes of write transactions whose last WR was issued."""
        return self.nbytes[1]

    @property
    def busy_ps(self) -> int:
        """Time the data bus carried data."""
        return (self.bursts[0] + self.bursts[1]) * self.burst_ps

    @property
    def row_hits(self) -> int:
        """Bursts that found their row open."""
        return self.bursts[0] + self.bursts[1] - self.row_misses

    @property
    def row_hit_rate(self) -> float:
        """1 - activates / bursts; slightly negative when refreshes close rows still wanted."""
        bursts = self.bursts[0] + self.bursts[1]
        return 1 - self.activates / bursts if bursts else 0.0
