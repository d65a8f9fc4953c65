"""The trace of a federated run: what each worker did when, and every transfer, in ``trace.h5``.

The rows are those of any trace (docs/trace-format.md); a unit is a whole chip, or who aggregates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tlm.federated.course import Doing
from tlm.federated.exchange import Exchange
from tlm.federated.figures import TOWARDS_SUM
from tlm.federated.network import ModelTransfer, node_name
from tlm.federated.results import FederatedSummary
from tlm.space.phase import Command, Phase
from tlm.space.trace_rows import NONE, PHASE_NONE, ActivityRow, EngineState, TransactionRow
from tlm.trace import TraceWriter
from tlm.trace.schema import FILE_NAME
from tlm.version import __version__

_STATES = {
    Doing.TRAIN: (EngineState.COMPUTE, PHASE_NONE),
    Doing.ADD: (EngineState.COMPUTE, Phase.REDUCE),
    Doing.NETWORK: (EngineState.STALL_NOC, PHASE_NONE),
    Doing.WAIT: (EngineState.STALL_DEPENDENCY, PHASE_NONE),
}


def write_timeline(folder: Path, result: Exchange) -> None:
    """Write ``trace.h5`` into ``folder``; equal runs, equal bytes. ``task`` is a row's round.

    Raises:
        TraceError: the file cannot be created.
    """
    summary = result.summary
    attrs = {"tlm_version": __version__, "workload_sha256": summary.recording.sha256}
    config = json.dumps(summary.plan, indent=1, allow_nan=False)
    writer = TraceWriter(folder / FILE_NAME, "transaction", attrs, config, list(_units(summary)))
    for part in result.course.intervals:
        what, phase = _STATES[part.doing]
        writer.activity.append(
            ActivityRow(
                unit=part.worker, begin=part.begin_ps, end=part.end_ps, what=what, phase=phase,
                layer=NONE, sample=NONE, samples=0, step=NONE, steps=0, task=part.round,
            )
        )  # fmt: skip
    writer.transactions += [_row(*item) for item in enumerate(result.transfers)]
    writer.close(complete=True)


def _units(summary: FederatedSummary) -> Iterator[tuple[str, str]]:
    """(name, kind) of the workers, then of a star's centre."""
    workers = len(summary.members)
    star = summary.plan["network"]["topology"] == "star"
    server = star and summary.plan["aggregator"] != "worker0"
    for node in range(workers + star):
        name = node_name(node, workers, server)
        yield name, "worker" if node < workers else name


def _row(number: int, transfer: ModelTransfer) -> TransactionRow:
    """A transfer: sent at ``begin_req``, there whole at ``end_resp``."""
    summed = transfer.kind in ("reduce", "gather")
    return TransactionRow(
        id=number, begin_req=transfer.begin_ps, end_req=transfer.begin_ps,
        begin_resp=transfer.end_ps, end_resp=transfer.end_ps,
        initiator=transfer.ends[0], target=transfer.ends[1],
        command=Command.WEIGHT_GRADIENT if summed else Command.WEIGHT,
        phase=Phase.REDUCE if transfer.kind in TOWARDS_SUM else Phase.UPDATE,
        layer=NONE, sample=NONE, step=NONE, nbytes=transfer.nbytes, address=0,
    )  # fmt: skip
