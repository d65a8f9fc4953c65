"""Traffic: bytes, bursts, messages and flits; what is sent is what is received and charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.runs import Runs
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.space.array_types import Ints
from tlm.space.phase import Phase


def dram_traffic(chip: Chip, table: TileTable) -> Iterator[Check]:
    """What the tiles ask for is what DMAs sent and channels moved, in bytes and in bursts."""
    traffic = chip.traffic.values()
    due_read, due_write = int(table.reads.nbytes.sum()), int(table.writes.nbytes.sum())
    sent_read = sum(t.read_bytes for t in traffic)
    sent_write = sum(t.write_bytes for t in traffic)
    for name, due, sent, moved in (
        ("read", due_read, sent_read, sum(c.bytes_read for c in chip.channels)),
        ("written", due_write, sent_write, sum(c.bytes_written for c in chip.channels)),
    ):
        detail = f"tiles {due} B, DMAs {sent} B, channels {moved} B"
        yield Check(f"bytes {name}", due == sent == moved, detail)
    controllers = chip.controllers
    if controllers:
        charged = sum(t.read_bursts + t.write_bursts for t in traffic)
        moved = sum(c.counters.reads + c.counters.writes for c in controllers)
        yield Check("bursts charged", charged == moved, f"charged {charged}, moved {moved}")


def tensor_traffic(chip: Chip, table: TileTable, due: Due) -> Iterator[Check]:
    """Every byte that a phase of a layer asks for is moved, and moved of the tensor it lies in."""
    layers = len(due.job.layers)
    of_tile, kinds = table["phase"] * layers + table["layer"], len(Phase) * layers
    reads = _by_tensor(table.reads, len(due.regions), of_tile, kinds)
    writes = _by_tensor(table.writes, len(due.regions), of_tile, kinds)
    wrong = []
    for key, read, written in zip(product(Phase, range(layers)), reads, writes, strict=True):
        traffic = chip.traffic.get(key)
        moved = (traffic.read_regions, traffic.written_regions) if traffic else ({}, {})
        if (read, written) != moved:
            wrong.append(layer_name(*key))
    yield Check("bytes by tensor", not wrong, f"{wrong[:3]}")


def _by_tensor(runs: Runs, tensors: int, of_tile: Ints, kinds: int) -> Iterator[Counter[int]]:
    """Bytes by the number of the tensor they lie in, for each of ``kinds`` kinds of tiles."""
    place = of_tile[runs.tile] * tensors + runs.tensor
    totals = np.bincount(place, runs.nbytes, kinds * tensors)
    for of_kind in totals.reshape(kinds, tensors):
        yield Counter({int(at): int(of_kind[at]) for at in np.flatnonzero(of_kind)})


def message_traffic(chip: Chip, table: TileTable) -> Iterator[Check]:
    """Payload of the tiles' messages is payload posted and delivered."""
    due = sum(message.nbytes for message in table.messages)
    posted = sum(t.message_bytes for t in chip.traffic.values())
    delivered = sum(engine.dma.delivered_bytes for engine in chip.engines)
    detail = f"tiles {due} B, posted {posted} B, delivered {delivered} B"
    yield Check("message bytes", due == posted == delivered, detail)


def reduction_traffic(chip: Chip, table: TileTable, due: Due) -> Iterator[Check]:
    """All partial sums and weights due travel; each message may be rounded up to a byte."""
    rounded = Counter[tuple[Phase, int]]()
    if chip.config.precision.partial_sum % 8 or chip.config.precision.weight % 8:
        for tile in table.tiles:
            rounded[tile.phase, tile.layer] += len(tile.messages)
    wrong = []
    for key, nbytes in due.message_bytes.items():
        sent = chip.traffic[key].message_bytes if key in chip.traffic else 0
        if not nbytes <= sent <= nbytes + rounded[key]:
            wrong.append(layer_name(*key))
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
