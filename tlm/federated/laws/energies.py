"""Energies: iterations, leakage, bits and additions times what each of them costs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import FederatedSummary, WorkerRound
from tlm.laws.check import Check
from tlm.workload.federated import Compression

RELATIVE_ERROR = 1e-9  # of sums in another order


def energies(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """Each worker's energies in each round, from the counts that stand beside them."""
    spans = {item.number: item.end_ps - item.begin_ps for item in summary.rounds}
    members = {part.worker: part for part in summary.members}
    priced = {(part.worker, part.round): part for part in summary.iterations}
    untrue, idle = [], []
    for row in summary.workers:
        part, member = priced[row.worker, row.round], members[row.worker]
        each_pj = part.dynamic_pj + part.leakage_pj * member.slowness
        if not _close(row.training_pj, row.iterations * row.trained * each_pj):
            untrue.append(f"worker{row.worker} round {row.round}: {row.training_pj} pJ")
        outside_ps = spans[row.round] - row.iterating_ps
        if not _close(row.idle_pj, outside_ps * member.leakage_w):
            idle.append(f"worker{row.worker} round {row.round}: {row.idle_pj} pJ")
    yield Check("training costs its iterations", not untrue, f"{untrue[:3]}")
    yield Check("a chip that waits leaks", not idle, f"{idle[:3]}")
    wires = 8 * sum(link.wire_nbytes for link in summary.links) * loaded.plan.network.bit_energy
    network_pj = math.fsum(row.network_pj for row in summary.workers)
    yield Check("bits of the network are paid", _close(network_pj, wires), f"{network_pj}, {wires}")
    powers = [
        (part.worker, part.leakage_pj / part.makespan_ps / members[part.worker].leakage_w)
        for part in summary.iterations
    ]
    uneven = [worker for worker, ratio in powers if not _close(ratio, 1.0)]
    yield Check("leakage is one power of a chip", not uneven, f"workers {uneven}")


def additions(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """Every number that is sent is added once; additions and a server cost what they are worth."""
    plan, numbers = loaded.plan, _numbers(loaded)
    wrong, unpaid = [], []
    members = {part.worker: part for part in summary.members}
    for item in summary.rounds:
        rows = [row for row in summary.workers if row.round == item.number]
        if plan.protocol == "fedavg":
            due = len(item.answered) * numbers
        else:
            copies = loaded.workers - (0 if plan.has_server else 1)
            due = copies * numbers * loaded.iterations(0, item.number)
        adds = sum(row.adds for row in rows)
        if (item.server_adds, adds) != ((due, 0) if plan.has_server else (0, due)):
            wrong.append(f"round {item.number}: {adds}, server {item.server_adds}, due {due}")
        unpaid += [
            f"worker{row.worker} round {row.round}"
            for row in rows
            if not _close(row.adding_pj, row.adds * members[row.worker].add_pj)
        ]
        power = plan.server.power if plan.has_server else 0.0
        server_pj = item.server_adds * plan.server.add_energy
        server_pj += power * (item.end_ps - item.begin_ps)
        if not _close(item.server_pj, server_pj):
            unpaid.append(f"server round {item.number}: {item.server_pj} pJ, due {server_pj}")
    yield Check("every number is added once", not wrong, f"{wrong[:3]}")
    yield Check("additions are paid", not unpaid, f"{unpaid[:3]}")


def _numbers(loaded: LoadedPlan) -> int:
    """Numbers in one upload."""
    compression = Compression.of(loaded.plan.variant.compression)
    return compression.sent(loaded.recording.parameters)


def sums(summary: FederatedSummary) -> Iterator[Check]:
    """Rounds are their workers and the server, the run is its rounds; nothing is negative."""
    wrong, so_far = [], 0.0
    for item in summary.rounds:
        rows = [row for row in summary.workers if row.round == item.number]
        parts = [part for row in rows for part in _parts(row)]
        so_far += math.fsum([*parts, item.server_pj])
        if not _close(item.total_pj, so_far) or min([*parts, item.server_pj]) < 0:
            wrong.append(f"round {item.number}: {item.total_pj} pJ, parts {so_far} pJ")
    total = _close(summary.energy_pj, so_far)
    yield Check("energies add up", total and not wrong, f"{wrong[:3]}")


def _parts(row: WorkerRound) -> tuple[float, ...]:
    return row.training_pj, row.adding_pj, row.idle_pj, row.network_pj


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_ERROR, abs_tol=1e-9)
