"""Section "Training" of the page on federated learning, from the recorded runs that ship.

``python -m tests.evidence.federated_training`` trains nothing: it reads what was recorded, and
simulates the recorded iterations of a whole round to see how far they are from the one of them that
stands for the round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.evidence.page import DOCS, replace_section
from tlm.running.runner import run_job
from tlm.validation.markdown import table
from tlm.workload import Workload
from tlm.workload.federated import FederatedRun, FederatedSplit, federated_names, open_federated

PAGE = DOCS / "federated.md"
NAMES = {"dirichlet": "non-identical", "iid": "identical"}
CHIP = "neuromc-20"
LEARNING = 2
"""Position of the recorded round from which changes are measured: the third."""


def main() -> None:
    """Write the section."""
    runs = [open_federated(name) for name in reversed(federated_names())]
    replace_section(PAGE, "federated training", "\n".join(map(section, runs)))


def section(run: FederatedRun) -> str:
    """What one run trained on, its accuracy by round, and how alike iterations of a round are."""
    return f"""### {run.name}

`{run.network}` on {run.dataset}, {run.parameters:,} parameters. {run.provenance["training"]}.
Accuracy: {run.provenance["accuracy"]}.

Samples of each class by worker, and mini-batches that it trains in a round:

{data_table(run)}
Accuracy of the global model, %, before the first and after some rounds, and bytes that one worker
sends and receives in a round:

{accuracy_table(run)}
{spread_text(run)}
"""


def data_table(run: FederatedRun) -> str:
    """A row for each worker of each split."""
    classes = len(run.splits[0].workers[0].classes)
    head = ("split", "worker", *map(str, range(classes)), "samples", "mini-batches")
    return table(head, (row for split in run.splits for row in _data_rows(split)))


def _data_rows(split: FederatedSplit) -> Iterable[Sequence[str]]:
    name = NAMES[split.name] + ("" if split.alpha is None else f", alpha {split.alpha:g}")
    for number, worker in enumerate(split.workers):
        yield (
            name,
            str(number),
            *map(str, worker.classes),
            f"{worker.samples:,}",
            str(worker.iterations[0]),
        )


def accuracy_table(run: FederatedRun) -> str:
    """A row for each variant."""
    shown = [number for number in (0, 1, 2, 3, 5, 10, 15, 20) if number <= run.rounds]
    rows = (
        (
            NAMES[variant.split],
            variant.compression.name,
            *(f"{100 * variant.accuracy[number]:.1f}" for number in shown),
            f"{variant.upload_nbytes:,}",
            f"{variant.download_nbytes:,}",
        )
        for variant in run.variants
    )
    return table(("split", "sent", *map(str, shown), "upload, B", "download, B"), rows)


def spread_text(run: FederatedRun) -> str:
    """How far the recorded iterations are from those that they stand for."""
    spread, changes = round_spread(run), change_by_round(run)
    recorded = run.splits[0].recorded
    others = (
        "Every round is recorded"
        if len(recorded) == run.rounds
        else "Rounds that are not recorded take the latest recorded one before"
    )
    return (
        f"One recorded iteration, the middle one, stands for all of a round. "
        f"{len(run.round_job.iterations)} iterations spread over the first round of worker 0 "
        f"(non-identical), simulated on `{CHIP}`: {spread[0]}, {spread[1]}. {others}: from round "
        f"{recorded[LEARNING]} to round {recorded[-1]} an iteration of the workers changes by "
        f"{changes[0]} in time and {changes[1]} in energy."
    )


def round_spread(run: FederatedRun) -> list[str]:
    """Time, then energy: the middle iteration of the first round, and all, over their mean."""
    middle = run.iteration_of(0, 1)
    figures = {at: simulated(run.round_job, at) for at in run.round_job.iterations}
    words = []
    for axis, name in enumerate(("time", "energy")):
        values = [figure[axis] for figure in figures.values()]
        mean = sum(values) / len(values)
        off, low, high = (
            f"{value / mean - 1:+.1%}"
            for value in (figures[middle][axis], min(values), max(values))
        )
        words.append(f"{name} of the middle one is {off} off their mean (all: {low} to {high})")
    return words


def change_by_round(run: FederatedRun) -> list[str]:
    """Least and most relative change of time, then of energy, once learning has slowed down."""
    jobs = [run.job(worker) for worker in range(run.workers)]
    pairs = [
        [simulated(job, at) for at in (job.iterations[LEARNING], job.iterations[-1])]
        for job in jobs
    ]
    changes = ([late[axis] / early[axis] - 1 for early, late in pairs] for axis in range(2))
    return [f"{min(change):+.1%} to {max(change):+.1%}" for change in changes]


def simulated(job: Workload, iteration: int) -> tuple[int, float]:
    """Time (ps) and energy (pJ) of one recorded iteration."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = run_job(job, chip=CHIP, iteration=iteration, out=out, trace="off")
    assert result.ok, (job.path, iteration, result.summary.broken)
    return result.summary.time.makespan_ps, result.summary.energy.total_pj


if __name__ == "__main__":
    main()
