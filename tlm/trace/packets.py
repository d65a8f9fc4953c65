"""The packets that a trace's transactions put on the network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tlm.config.chip import ChipConfig
from tlm.space.mesh_routes import ADAPTIVE, DIRECTIONS, route
from tlm.space.packets import PacketFormat
from tlm.space.phase import Command
from tlm.trace.chip import nodes_of
from tlm.trace.reader import Trace
from tlm.trace.schema import COMMAND_NAMES

PACKET_DTYPE = np.dtype(
    [
        ("time_ps", "<i8"),
        ("source", "<i4"),
        ("target", "<i4"),
        ("nbytes", "<i8"),
        ("flits", "<i4"),
        ("command", "u1"),
        ("response", "?"),
    ]
)
COLUMNS = ("time_ps", "source_node", "target_node", "payload_bytes", "flits", "message")


def packets(trace: Trace, chip: ChipConfig) -> NDArray[np.void]:
    """Every packet in order of injection, as ``PACKET_DTYPE``; nodes are those of the mesh.

    A transaction is one request packet, sent at ``begin_req``: a header for a read, header and
    payload for anything else. A read's data come back as a response, sent at ``begin_resp``.
    """
    rows = trace.transactions
    nodes = nodes_of(trace, chip)
    reads = rows[rows["command"] == Command.READ]
    sent = np.zeros(len(rows) + len(reads), dtype=PACKET_DTYPE)
    request, response = sent[: len(rows)], sent[len(rows) :]
    _fill(request, rows, "begin_req", nodes[rows["initiator"]], nodes[rows["target"]])
    request["nbytes"] = np.where(rows["command"] == Command.READ, 0, rows["nbytes"])
    _fill(response, reads, "begin_resp", nodes[reads["target"]], nodes[reads["initiator"]])
    response["nbytes"] = reads["nbytes"]
    response["response"] = True
    sent["flits"] = PacketFormat.of(chip.noc).flits(sent["nbytes"])
    return sent[np.argsort(sent["time_ps"], kind="stable")]


def _fill(
    packets: NDArray[np.void],
    rows: NDArray[np.void],
    time: str,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
) -> None:
    packets["time_ps"], packets["command"] = rows[time], rows["command"]
    packets["source"], packets["target"] = source, target


def noc_messages(trace: Trace, chip: ChipConfig) -> Iterator[str]:
    """The packets as CSV lines, header first; ``message`` names the command and a response."""
    names = [*COMMAND_NAMES, *(f"{name}_response" for name in COMMAND_NAMES)]
    yield ",".join(COLUMNS) + "\n"
    for time_ps, source, target, nbytes, flits, command, response in packets(trace, chip).tolist():
        name = names[command + len(COMMAND_NAMES) * response]
        yield f"{time_ps},{source},{target},{nbytes},{flits},{name}\n"


def link_nbytes(
    sent: NDArray[np.void], chip: ChipConfig, edges_ps: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Bytes on each mesh link in each window, headers included, by the link's name.

    A packet counts on all links of its route in the window of its injection: how long it waited on
    the way is not in a trace. Empty for adaptive routes, which a trace does not hold either.
    """
    routing = chip.noc.routing if chip.noc.model == "router" else "xy"
    if routing in ADAPTIVE:
        return {}
    carried: dict[str, NDArray[np.float64]] = {}
    for source, target in np.unique(sent[["source", "target"]]).tolist():
        chosen = sent[(sent["source"] == source) & (sent["target"] == target)]
        nbytes = chosen["flits"] * (chip.noc.link // 8)
        moved, _ = np.histogram(chosen["time_ps"], edges_ps, weights=nbytes)
        for node, direction in route(routing, chip.mesh.columns, source, target):
            link = f"chip.noc.n{node:02d}.{DIRECTIONS[direction]}"
            carried[link] = carried.get(link, 0) + moved
    return dict(sorted(carried.items()))
