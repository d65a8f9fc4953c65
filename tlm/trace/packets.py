"""The packets that a trace's transactions put on the network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tlm.config.chip import ChipConfig
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
_READ = COMMAND_NAMES.index("read")


def packets(trace: Trace, chip: ChipConfig) -> NDArray[np.void]:
    """Every packet in order of injection, as ``PACKET_DTYPE``; nodes are those of the mesh.

    A transaction is one request packet, sent at ``begin_req``: a header for a read, header and
    payload for anything else. A read's data come back as a response, sent at ``begin_resp``.
    """
    rows = trace.transactions
    nodes = nodes_of(trace, chip)
    reads = rows[rows["command"] == _READ]
    found = np.zeros(len(rows) + len(reads), dtype=PACKET_DTYPE)
    request, response = found[: len(rows)], found[len(rows) :]
    _fill(request, rows, "begin_req", nodes[rows["initiator"]], nodes[rows["target"]])
    request["nbytes"] = np.where(rows["command"] == _READ, 0, rows["nbytes"])
    _fill(response, reads, "begin_resp", nodes[reads["target"]], nodes[reads["initiator"]])
    response["nbytes"] = reads["nbytes"]
    response["response"] = True
    found["flits"] = -(-(found["nbytes"] + chip.noc.header) // (chip.noc.link // 8))
    return found[np.argsort(found["time_ps"], kind="stable")]


def _fill(
    found: NDArray[np.void],
    rows: NDArray[np.void],
    time: str,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
) -> None:
    found["time_ps"], found["command"] = rows[time], rows["command"]
    found["source"], found["target"] = source, target


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
    adaptive = chip.noc.model == "router" and chip.noc.routing == "west-first"
    columns_first = not (chip.noc.model == "router" and chip.noc.routing == "yx")
    found: dict[str, NDArray[np.float64]] = {}
    for source, target in np.unique(sent[["source", "target"]]).tolist() if not adaptive else ():
        chosen = sent[(sent["source"] == source) & (sent["target"] == target)]
        nbytes = chosen["flits"] * (chip.noc.link // 8)
        moved, _ = np.histogram(chosen["time_ps"], edges_ps, weights=nbytes)
        for link in _route(chip.mesh.columns, columns_first, source, target):
            found[link] = found.get(link, 0) + moved
    return dict(sorted(found.items()))


def _route(columns: int, columns_first: bool, source: int, target: int) -> Iterator[str]:
    """Names of the links from node to node, along the row first or along the column first."""
    node = source
    for along_row in (columns_first, not columns_first):
        unit = 1 if along_row else columns
        ahead = (
            target % columns - node % columns if along_row else target // columns - node // columns
        )
        name = ("east", "west") if along_row else ("south", "north")
        for _ in range(abs(ahead)):
            yield f"chip.noc.n{node:02d}.{name[ahead < 0]}"
            node += unit if ahead > 0 else -unit
