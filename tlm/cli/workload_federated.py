"""What ``workload info`` prints of a recorded federated run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tlm.cli.tables import Hanging, ScreenTable
from tlm.workload.federated import FederatedRun, FederatedSplit

_SHOWN_ROUNDS = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500)


def federated_parts(run: FederatedRun) -> Iterator[Text | Hanging | ScreenTable]:
    """What a run is, who trained on which data, and the accuracy of every variant by round."""
    yield Text(run.name, style="bold")
    facts = {
        "folder": str(run.folder),
        "network": f"{run.network}, {run.parameters:,} parameters",
        "workers, rounds": f"{run.workers}, {run.rounds}",
        "data set": run.dataset,
        "licence": run.licence,
        **run.provenance,
        "sha256": run.sha256,
    }
    for name, value in facts.items():
        yield Hanging(f"{name}: {value}")
    for split in run.splits:
        yield Text()
        yield _data(split)
    yield Text()
    yield _accuracy(run)


def _data(split: FederatedSplit) -> ScreenTable:
    alpha = "" if split.alpha is None else f", alpha {split.alpha:g}"
    title = f"Data, {split.name}{alpha}; rounds recorded: {len(split.recorded)}"
    table = ScreenTable(title, "worker", "samples", "mini-batches", "samples of each class")
    for number, worker in enumerate(split.workers):
        counts = " ".join(map(str, worker.classes))
        table.add_row(str(number), str(worker.samples), str(worker.iterations[0]), counts)
    return table


def _accuracy(run: FederatedRun) -> ScreenTable:
    shown = [number for number in _SHOWN_ROUNDS if number < run.rounds] + [run.rounds]
    columns = ("split", "sent", *map(str, shown), "upload, B")
    table = ScreenTable("Accuracy after rounds, bytes of an upload", *columns, keys=2)
    for variant in run.variants:
        reached = (f"{variant.accuracy[number]:.3f}" for number in shown)
        sent = variant.compression.name
        table.add_row(variant.split, sent, *reached, str(variant.upload_nbytes))
    return table
