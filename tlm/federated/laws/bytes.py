"""Bytes: the model's, times uploads and downloads; on the wire, over all links and sent again."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import FederatedSummary, WorkerRound
from tlm.laws.check import Check
from tlm.workload.federated import Compression, download_nbytes, upload_nbytes


def sent_bytes(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """Each worker's bytes in each round, as the protocol says."""
    if loaded.plan.protocol == "data-parallel":
        yield from _summed(loaded, summary)
        return
    up, down = _model_nbytes(loaded)
    wrong = []
    for row in summary.workers:
        hub = row.worker == 0 and not loaded.plan.has_server
        whole_up, whole_down = (0, 0) if hub else (up, down)
        least_up, most_up = whole_up, whole_up
        if row.dropped or row.late:  # parts may be on their way, if layers are sent by themselves
            least_up, most_up = 0, whole_up if loaded.plan.overlap or row.trained == 1 else 0
        if row.download_nbytes != whole_down or not least_up <= row.upload_nbytes <= most_up:
            wrong.append(f"{_place(row)}: {row.upload_nbytes} up, {row.download_nbytes} down")
        if row.dropped and not loaded.plan.overlap and row.upload_nbytes:
            wrong.append(f"{_place(row)}: gone, and sent {row.upload_nbytes}")
    yield Check("bytes sent are the model's", not wrong, f"{wrong[:3]}; due {up}, {down}")


def _summed(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """An all-reduce moves the gradients 2 (N - 1) times in all, with a server 2 N times."""
    up, _ = _model_nbytes(loaded)
    workers = loaded.workers
    copies = 2 * (workers if loaded.plan.has_server else workers - 1)
    wrong = []
    for item in summary.rounds:
        rows = [row for row in summary.workers if row.round == item.number]
        due = copies * up * loaded.iterations(0, item.number)
        nbytes = sum(row.upload_nbytes + row.download_nbytes for row in rows)
        if nbytes != due:
            wrong.append(f"round {item.number}: {nbytes}, due {due}")
    yield Check("bytes sent are the gradients'", not wrong, f"{wrong[:3]}")


def wire_bytes(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """What links carried: every byte once a link of its way, and lost packets once more."""
    carried = sum(link.wire_nbytes for link in summary.links)
    due = sum(
        (row.upload_nbytes + row.download_nbytes) * _hops(loaded, row.worker) + row.resent_nbytes
        for row in summary.workers
    )
    yield Check("bytes on the wire", carried == due, f"carried {carried}, due {due}")
    lossless = loaded.plan.network.loss == 0
    resent = sum(row.resent_nbytes for row in summary.workers)
    yield Check("nothing is lost without loss", not lossless or resent == 0, f"{resent} sent again")


def _model_nbytes(loaded: LoadedPlan) -> tuple[int, int]:
    """(upload, download) of one worker, from the compression and the parameters."""
    compression = Compression.of(loaded.plan.variant.compression)
    parameters = loaded.recording.parameters
    return upload_nbytes(parameters, compression), download_nbytes(parameters, compression)


def _hops(loaded: LoadedPlan, worker: int) -> int:
    """Links between a worker and whoever aggregates; one where neighbours talk to each other."""
    topology = loaded.plan.network.topology
    if topology == "star":
        return 1 if loaded.plan.has_server else 2
    if loaded.plan.protocol == "data-parallel":
        return 1
    if topology == "ring":
        return min(worker, loaded.workers - worker)
    return (worker + 1).bit_length() - 1


def _place(row: WorkerRound) -> str:
    return f"worker{row.worker} round {row.round}"
