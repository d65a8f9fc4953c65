"""Traffic: bytes, bursts, messages and flits; what is sent is what is received and charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tlm.hardware.chip import Chip
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.ideal import IdealDram
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.runs import Asked, Runs
from tlm.space.array_types import Ints
from tlm.space.phase import Phase
from tlm.space.program import Program


def dram_traffic(chip: Chip, asked: Asked) -> Iterator[Check]:
    """What the tiles ask for is what DMAs sent and channels moved, in bytes and in bursts."""
    traffic = chip.traffic.values()
    due_read, due_write = int(asked.reads.nbytes.sum()), int(asked.writes.nbytes.sum())
    sent_read = sum(t.read_bytes for t in traffic)
    sent_write = sum(t.write_bytes for t in traffic)
    for name, due, sent, moved in (
        ("read", due_read, sent_read, sum(_channel_bytes(c)[0] for c in chip.channels)),
        ("written", due_write, sent_write, sum(_channel_bytes(c)[1] for c in chip.channels)),
    ):
        detail = f"tiles {due} B, DMAs {sent} B, channels {moved} B"
        yield Check(f"bytes {name}", due == sent == moved, detail)
    controllers = chip.controllers
    if controllers:
        charged = sum(t.read_bursts + t.write_bursts for t in traffic)
        moved = sum(c.counters.reads + c.counters.writes for c in controllers)
        yield Check("bursts charged", charged == moved, f"charged {charged}, moved {moved}")


def tensor_traffic(chip: Chip, asked: Asked, due: Due) -> Iterator[Check]:
    """Every byte that a phase of a layer asks for is moved, and moved of the tensor it lies in."""
    starts = np.array(due.regions, np.int64)
    numbers = {key: number for number, key in enumerate(chip.traffic)}
    keys = [(tile.phase, tile.layer) for tile in asked.tiles]
    of_tile = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    reads = _by_tensor(starts, asked.reads, of_tile, len(numbers))
    writes = _by_tensor(starts, asked.writes, of_tile, len(numbers))
    wrong = []
    for key, read, written in zip(numbers, reads, writes, strict=True):
        traffic = chip.traffic[key]
        if (read, written) != (traffic.read_regions, traffic.written_regions):
            wrong.append(f"{Phase(key[0]).name.lower()} layer {key[1]}")
    yield Check("bytes by tensor", not wrong, f"{wrong[:3]}")


def _by_tensor(starts: Ints, runs: Runs, of_tile: Ints, kinds: int) -> Iterator[Counter[int]]:
    """Bytes by the number of the tensor they lie in, for each of ``kinds`` kinds of tiles."""
    tensor = of_tile[runs.tile] * len(starts) + runs.tensor(starts)
    totals = np.bincount(tensor, runs.nbytes, minlength=kinds * len(starts))
    for of_kind in totals.reshape(kinds, len(starts)):
        yield Counter({int(at): int(of_kind[at]) for at in np.flatnonzero(of_kind)})


def _channel_bytes(channel: DramChannel | IdealDram) -> tuple[int, int]:
    """Bytes read and written."""
    counters: Any = getattr(channel, "counters", channel)  # an ideal channel counts by itself
    return counters.bytes_read, counters.bytes_written


def message_traffic(chip: Chip, program: Program) -> Iterator[Check]:
    """Payload of the tiles' messages is payload posted and delivered."""
    due = sum(message.nbytes for tile in program.all_tiles() for message in tile.messages)
    posted = sum(t.message_bytes for t in chip.traffic.values())
    delivered = sum(engine.dma.delivered_bytes for engine in chip.engines)
    detail = f"tiles {due} B, posted {posted} B, delivered {delivered} B"
    yield Check("message bytes", due == posted == delivered, detail)


def reduction_traffic(chip: Chip, program: Program, due: Due) -> Iterator[Check]:
    """All partial sums and weights due travel; each message may be rounded up to a byte."""
    rounded = Counter[tuple[Phase, int]]()
    if chip.config.precision.partial_sum % 8 or chip.config.precision.weight % 8:
        for tile in program.all_tiles():
            rounded[tile.phase, tile.layer] += len(tile.messages)
    wrong = []
    for key, nbytes in due.message_bytes.items():
        sent = chip.traffic[key].message_bytes if key in chip.traffic else 0
        if not nbytes <= sent <= nbytes + rounded[key]:
            wrong.append(f"{key[0].name.lower()} layer {key[1]}")
    yield Check("bytes reduced", not wrong, f"{wrong}")


def flit_traffic(chip: Chip) -> Iterator[Check]:
    """Flits injected = flits ejected, and the links' own counts add up to what is charged.

    A flit passes a router before every mesh link and one before its ejection port.
    """
    network = chip.network
    injected = sum(port.flits for port in network.injections)
    ejected = sum(port.flits for port in network.ejections)
    yield Check("flits delivered", injected == ejected, f"in {injected}, out {ejected}")
    carried = sum(link.flits for link in network.links.values())
    charged = sum(t.link_flits for t in chip.traffic.values())
    yield Check("flit-hops charged", carried == charged, f"links {carried}, charged {charged}")
    routed = sum(t.router_flits for t in chip.traffic.values())
    passed = carried + ejected
    yield Check("router flits charged", passed == routed, f"passed {passed}, charged {routed}")
