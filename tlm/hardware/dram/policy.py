"""How a DRAM controller decides: what no device data sheet fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DramPolicy:
    """Queues, page policy and write handling of a controller; queue sizes count bursts.

    Reads and writes wait in queues of their own. Writes are drained from ``write_high`` waiting
    ones, or as soon as no read waits, down to ``write_low`` if reads wait by then (26 and 6 are
    80 % and 20 % of 32, the defaults of Ramulator 2.1). Page ``closed`` precharges after every
    transaction, ``open`` when another row is wanted and no hit waits. ``hit_cap`` lets another row
    of a bank in after that many bursts from one (0: never; FR-FCFS+Cap of Mutlu and Moscibroda,
    MICRO 2007). ``pipeline_clk`` clocks pass between acceptance and the first command,
    ``response_clk`` between the last beat of a read and its answer.
    ``write_ack`` answers a write when it is accepted, when its last WR is issued, or when its
    last data beat is on the bus.

    Raises:
        ConfigError: a threshold does not fit its queue, or an unknown word.
    """

    read_queue: int = 32
    write_queue: int = 32
    write_high: int = 26
    write_low: int = 6
    page: Literal["open", "closed"] = "open"
    hit_cap: int = 0
    pipeline_clk: int = 0
    response_clk: int = 0
    write_ack: Literal["accept", "issue", "data"] = "issue"
    address_map: str | None = None  # None: the device's own

    def __post_init__(self) -> None:
        if self.read_queue < 1 or self.write_queue < 1:
            raise ConfigError("dram: read_queue and write_queue must be at least 1 burst")
        if not 0 <= self.write_low < self.write_high <= self.write_queue:
            raise ConfigError(
                f"dram: expected 0 <= write_low < write_high <= write_queue, got "
                f"{self.write_low}, {self.write_high}, {self.write_queue}"
            )
        if min(self.hit_cap, self.pipeline_clk, self.response_clk) < 0:
            raise ConfigError("dram: hit_cap, pipeline_clk and response_clk must not be negative")
        if self.page not in ("open", "closed"):
            raise ConfigError(f"dram.page: {self.page!r} is neither 'open' nor 'closed'")
        if self.write_ack not in ("accept", "issue", "data"):
            raise ConfigError(f"dram.write_ack: {self.write_ack!r}; allowed: accept, issue, data")
