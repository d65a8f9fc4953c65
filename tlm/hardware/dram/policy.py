"""How a DRAM controller decides: what no device data sheet fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DramPolicy:
    """Queues, order of commands, page policy and writes of a controller; sizes count bursts.

    ``ready-first`` is FR-FCFS at the level of commands (Rixner et al., ISCA 2000, as in Ramulator
    2): of RD, WR, ACT and PRE, whichever are legal, that of the oldest request; a precharge that is
    ready does not wait for younger row hits that are not. With ``hits-first`` a row stays open
    while a request waits for it.

    Reads and writes wait in queues of their own until they are served, or until a row has been
    opened for them. Writes are drained from ``write_high`` waiting bursts on, or as soon as no read
    waits, down to ``write_low`` if reads wait by then (26 and 6 are 80 % and 20 % of 32, the
    defaults of Ramulator 2.1). Page ``closed`` precharges after every transaction. A write is
    answered when its last WR is issued. A read is answered ``response_clk`` clocks after its last
    beat: 0 in a chip, 1 where the channel is compared with a simulator (DRAMsim3) that answers a
    clock later.

    Raises:
        ConfigError: a threshold does not fit its queue, or an unknown word.
    """

    read_queue: int = 32
    write_queue: int = 32
    write_high: int = 26
    write_low: int = 6
    policy: Literal["ready-first", "hits-first"] = "ready-first"
    page: Literal["open", "closed"] = "open"
    response_clk: int = 0
    address_map: str | None = None  # None: the device's own

    def __post_init__(self) -> None:
        if self.read_queue < 1 or self.write_queue < 1:
            raise ConfigError("dram: read_queue and write_queue must be at least 1 burst")
        if not 0 <= self.write_low < self.write_high <= self.write_queue:
            raise ConfigError(
                f"dram: expected 0 <= write_low < write_high <= write_queue, got "
                f"{self.write_low}, {self.write_high}, {self.write_queue}"
            )
        if self.response_clk < 0:
            raise ConfigError("dram: response_clk must not be negative")
        if self.policy not in ("ready-first", "hits-first"):
            raise ConfigError(
                f"dram.policy: {self.policy!r} is neither 'ready-first' nor 'hits-first'"
            )
        if self.page not in ("open", "closed"):
            raise ConfigError(f"dram.page: {self.page!r} is neither 'open' nor 'closed'")
