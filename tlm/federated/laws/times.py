"""Times: rounds follow each other, parts add up, and what is late does not count."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isclose

from tlm.federated.plan import worker_number
from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import FederatedSummary, RoundPart, WorkerRound
from tlm.laws.check import Check


def rounds_in_order(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """As many as planned, one after the other from 0 to the end, each closed by the deadline."""
    rounds, plan = summary.rounds, loaded.plan
    ends = [0, *(item.end_ps for item in rounds)]
    follows = [item.begin_ps for item in rounds] == ends[:-1] and summary.time_ps == ends[-1]
    numbers = [item.number for item in rounds] == list(range(1, plan.rounds + 1))
    yield Check("rounds follow each other", follows and numbers, f"{ends}")
    wrong = [
        item.number
        for item in rounds
        if not item.begin_ps <= item.closed_ps <= item.end_ps
        or (plan.deadline is not None and item.closed_ps - item.begin_ps > plan.deadline)
    ]
    yield Check("rounds close in time", not wrong, f"rounds {wrong}")


def worker_times(summary: FederatedSummary) -> Iterator[Check]:
    """Computing, network and waiting are the round; training is iterations times their time."""
    spans = {item.number: item.end_ps - item.begin_ps for item in summary.rounds}
    wrong, untrained = [], []
    makespans = {(part.worker, part.round): part.makespan_ps for part in summary.iterations}
    slowness = {part.worker: Fraction(part.slowness) for part in summary.members}
    for row in summary.workers:
        parts = (row.iterating_ps, row.adding_ps, row.network_ps, row.waiting_ps)
        if sum(parts) != spans[row.round] or min(parts) < 0:
            wrong.append(f"worker{row.worker} round {row.round}: {parts}, {spans[row.round]} ps")
        whole_ps = row.iterations * round(makespans[row.worker, row.round] * slowness[row.worker])
        if round(whole_ps * row.trained) != row.iterating_ps:
            untrained.append(f"worker{row.worker} round {row.round}")
    yield Check("times of workers add up", not wrong, f"{wrong[:3]}")
    yield Check("training takes its iterations", not untrained, f"{untrained[:3]}")
    expected = {(row.worker, row.round) for row in summary.workers}
    count = len(summary.members) * len(summary.rounds)
    yield Check("every worker in every round", len(expected) == count, f"{len(expected)}, {count}")


def answers(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """What is in a mean arrived before it closed; who had gone or was late is not in it."""
    early: list[str] = []
    wrong: list[str] = []
    uneven: list[str] = []
    samples = {part.worker: part.samples for part in summary.members}
    for item in summary.rounds:
        rows = [row for row in summary.workers if row.round == item.number]
        in_mean = {row.worker for row in rows if not row.dropped and not row.late}
        planned = {
            worker_number(name)
            for name, drop in loaded.plan.drop.items()
            if drop.round == item.number
        }
        if in_mean != {*item.answered} or in_mean & planned or len(in_mean) < len(item.answered):
            wrong.append(f"round {item.number}: {item.answered}")
        early += [f"round {item.number} worker{row.worker}" for row in rows if _odd(row, item)]
        weight = sum(samples[worker] for worker in in_mean) / sum(samples.values())
        if not isclose(item.weight, weight):
            uneven.append(f"round {item.number}: {item.weight}, of samples {weight}")
    yield Check("who answers is in the mean", not wrong, f"{wrong[:3]}")
    yield Check("nothing that counts comes late", not early, f"{early[:3]}")
    yield Check("a mean weighs its samples", not uneven, f"{uneven[:3]}")
    order = [len(set(item.answered)) == len(item.answered) for item in summary.rounds]
    yield Check("nobody answers twice", all(order), f"{order}")


def _odd(row: WorkerRound, item: RoundPart) -> bool:
    """Whether an upload arrived at a time that its being counted, or not, contradicts."""
    if row.upload_nbytes == 0 or row.arrived_ps == -1:
        return (row.upload_nbytes == 0) != (row.arrived_ps == -1)
    if row.worker in item.answered:
        return not item.begin_ps <= row.arrived_ps <= item.closed_ps
    return row.late and row.trained == 1 and row.arrived_ps < item.closed_ps
