"""The requests each DRAM channel received, burst by burst, in the formats of DRAM simulators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.config.tables.dram_timing import DramTiming
from tlm.space.phase import Command
from tlm.trace.reader import Trace


@dataclass(frozen=True)
class RequestFormat:
    """How a simulator's request files end, whether they hold clocks, and a line of them.

    ``line`` takes the address in bytes, whether it is written, and the clock.
    """

    suffix: str
    has_clocks: bool
    line: Callable[[int, bool, int], str]


FORMATS = {
    # DRAMsim3's trace CPU: address in hexadecimal, READ or WRITE, clock.
    "dramsim3": RequestFormat(
        "txt",
        True,
        lambda address, write, clock: f"{address:#x} {'WRITE' if write else 'READ'} {clock}\n",
    ),
    # DRAMSys's trace player (.stl): clock, read or write, address in hexadecimal.
    "dramsys": RequestFormat(
        "stl",
        True,
        lambda address, write, clock: f"{clock}: {'write' if write else 'read'} {address:#x}\n",
    ),
    # Ramulator 2's LoadStoreTrace: LD or ST and the address; a third word is refused there.
    "ramulator2": RequestFormat(
        "txt",
        False,
        lambda address, write, clock: f"{'ST' if write else 'LD'} {address:#x}\n",
    ),
}


def bursts(trace: Trace, channel: int, timing: DramTiming) -> NDArray[np.int64]:
    """Bursts of one channel's transactions, shape [N, 3]: clock, address in bytes, is a write.

    In order of acceptance (``end_req``, in clocks of the device); a transaction of several bursts
    gives as many lines with the same clock, its addresses cut to whole bursts.
    """
    rows = trace.transactions
    rows = rows[rows["target"] == trace.unit_ids("dram")[channel]]
    rows = rows[np.lexsort((rows["id"], rows["end_req"]))]
    first = rows["address"] // timing.burst_bytes
    count = (rows["address"] + rows["nbytes"] - 1) // timing.burst_bytes - first + 1
    owner = np.repeat(np.arange(len(rows)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    clock = rows["end_req"] // timing.tck_ps
    address = (first[owner] + within) * timing.burst_bytes
    return np.stack([clock[owner], address, rows["command"][owner] != Command.READ], axis=1)


def request_lines(trace: Trace, channel: int, timing: DramTiming, form: str) -> Iterator[str]:
    """One line for each burst, in ``form``, a key of ``FORMATS``; neither knows comments."""
    line = FORMATS[form].line
    for clock, address, write in bursts(trace, channel, timing).tolist():
        yield line(address, bool(write), clock)
