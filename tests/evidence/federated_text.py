"""Tables and sentences of the page on federated learning, from summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from tests.evidence.federated_runs import FederatedStudy, Plan
from tests.evidence.federated_scaling import CASES, FAST, SLOW, WORKERS, ScalingPoint, chosen
from tlm.federated.local import LocalTask
from tlm.federated.relief import relief_gains
from tlm.federated.results import FederatedSummary, HoldUp
from tlm.quantity_text import energy_text, nbytes_text, time_text
from tlm.validation.markdown import table
from tlm.workload.federated import FederatedVariant

CHIP = "neuromc-20"
TARGET = 0.9  # accuracy whose price is asked for
IDEAL: Plan = {
    "workers": 1,
    "rounds": 3,
    "network": {"bandwidth": "unlimited", "latency": "0 s", "bit_energy": "0 pJ"},
    "server": {"adds_per_s": "unlimited"},
}
MISHAPS: dict[str, Plan] = {
    "as it is": {},
    "worker 1's chip 20 times slower": {"slow": {"worker1": 20.0}},
    "links of worker 3 at 100 Mbit/s": {"links": {"worker3": {"bandwidth": "100 Mbit/s"}}},
    "1 % of packets lost": {"network": {"loss": 0.01}},
    "worker 4 drops out of round 2, deadline 40 ms": {
        "drop": {"worker4": {"round": 2, "at": 0.5}},
        "deadline": "40 ms",
    },
    "worker 1's chip 20 times slower, deadline 40 ms": {
        "slow": {"worker1": 20.0},
        "deadline": "40 ms",
    },
}


def rounds_table(summary: FederatedSummary) -> str:
    """A row for each worker and round."""
    ends = {item.number: item for item in summary.rounds}
    rows = []
    for row in summary.workers:
        item = ends[row.round]
        times = (row.computing_ps, row.network_ps, row.waiting_ps)
        energies = (row.training_pj + row.adding_pj, row.idle_pj, row.network_pj)
        rows.append(
            (
                str(row.round),
                str(row.worker),
                str(row.iterations),
                *map(time_text, times),
                *map(energy_text, energies),
                nbytes_text(row.upload_nbytes),
                f"{time_text(item.end_ps)}, {energy_text(item.total_pj)}",
                f"{100 * (item.accuracy or 0):.1f}",
            )
        )
    heads = (
        *("round", "worker", "iterations", "computing", "network", "waiting", "training"),
        *("idle", "sending", "up", "round's end", "accuracy, %"),
    )
    return table(heads, rows)


def shares_text(summary: FederatedSummary) -> str:
    """Where time and energy went."""
    whole = sum(item.end_ps - item.begin_ps for item in summary.rounds) * len(summary.members)
    network = sum(row.network_ps for row in summary.workers) / whole
    idle = sum(row.idle_pj for row in summary.workers) / summary.energy_pj
    sending = sum(row.network_pj for row in summary.workers) / summary.energy_pj
    return (
        f"Of the workers' time {network:.0%} is network. Of the energy {idle:.0%} is leakage of "
        f"chips that wait for the network or for others, and {sending:.0%} that of bits on links."
    )


def wire_text(summary: FederatedSummary) -> str:
    """Bytes on the wire, counted two ways."""
    carried = sum(link.wire_nbytes for link in summary.links)
    copies = len(summary.workers)
    recording = summary.recording
    due = copies * (recording.upload_nbytes + recording.download_nbytes)
    assert carried == due
    return (
        f"Bytes on the wire: {carried:,}, which is {copies} uploads of {recording.upload_nbytes:,} "
        f"and as many downloads of {recording.download_nbytes:,}: a law of every run, with what "
        "gets lost, compression and hops counted in."
    )


def alone_text(study: FederatedStudy) -> str:
    """One worker on an ideal network beside its chip."""
    run = study.run(IDEAL)
    parts = run.summary.iterations
    counts = [row.iterations for row in run.summary.workers]
    due_ps = sum(count * part.makespan_ps for count, part in zip(counts, parts, strict=True))
    due_pj = sum(
        count * (part.dynamic_pj + part.leakage_pj)
        for count, part in zip(counts, parts, strict=True)
    )
    assert run.summary.time_ps == due_ps and abs(run.summary.energy_pj / due_pj - 1) < 1e-12
    return (
        f"One worker with an ideal network takes {run.summary.time_ps:,} ps for its three rounds "
        f"of {counts[0]} iterations, to the picosecond what `run` takes for the three recorded "
        "iterations times their number, and the same energy."
    )


def repeating_text(study: FederatedStudy, summary: FederatedSummary) -> str:
    """How far the recorded iteration of a round is from others of the same round."""
    job = study.recording.round_job
    place = job.iterations.index(study.recording.iteration_of(0, 1))
    folder = Path("round1")
    tasks = [LocalTask(job.path, at, CHIP, folder / f"round1-{at}") for at in job.iterations]
    results = study.iterations(*tasks)
    times = [float(item.makespan_ps) for item in results]
    energies = [item.dynamic_pj + item.leakage_pj for item in results]
    row, first = summary.workers[0], summary.rounds[0]
    share = row.iterating_ps / (first.end_ps - first.begin_ps)
    return (
        f"A round repeats one recorded iteration. Of {len(results)} iterations spread over round 1 "
        f"of worker 0: time {_spread(times, place, time_text)}; energy "
        f"{_spread(energies, place, energy_text)}. Training is {share:.0%} of that round, so its "
        f"time is off by {share * _off(times, place):+.2%}."
    )


def _spread(values: Sequence[float], place: int, text: Callable[[float], str]) -> str:
    return (
        f"{text(mean(values))} in the mean, standard deviation {stdev(values) / mean(values):.1%}, "
        f"the one that stands for the round {_off(values, place):+.1%} off"
    )


def _off(values: Sequence[float], place: int) -> float:
    return values[place] / mean(values) - 1


def mishaps_table(study: FederatedStudy) -> str:
    """What befalls a run, who is named, and which relief gains most."""
    rows = []
    for name, plan in MISHAPS.items():
        run = study.run({"rounds": 3, **plan})
        spans = [time_text(item.end_ps - item.begin_ps) for item in run.summary.rounds]
        answers = [f"{len(item.answered)}" for item in run.summary.rounds]
        best = relief_gains(run)[0]
        rows.append(
            (
                name,
                ", ".join(spans),
                ", ".join(answers),
                "; ".join(dict.fromkeys(map(_named, run.summary.hold_ups))),
                f"{best.name}: {best.time_saved:.1%}",
                energy_text(run.summary.energy_pj),
            )
        )
    heads = ("plan", "rounds take", "answers", "held up by", "first relief, time", "energy")
    return table(heads, rows)


def _named(entry: HoldUp) -> str:
    if entry.worker < 0:
        return f"deadline (round {entry.round})"
    return f"worker {entry.worker}, {entry.cause}"


def compression_table(runs: Sequence[tuple[FederatedVariant, FederatedSummary]]) -> str:
    """Bytes, time, energy and accuracy of every recorded variant."""
    rows = []
    for variant, summary in runs:
        reached = next((item for item in summary.rounds if (item.accuracy or 0.0) >= TARGET), None)
        rows.append(
            (
                {"dirichlet": "non-identical", "iid": "identical"}[variant.split],
                variant.compression.name,
                nbytes_text(sum(link.wire_nbytes for link in summary.links)),
                time_text(summary.time_ps),
                energy_text(summary.energy_pj),
                f"{100 * (summary.rounds[-1].accuracy or 0.0):.1f}",
                "never" if reached is None else f"{reached.number}",
                "" if reached is None else time_text(reached.end_ps),
                "" if reached is None else energy_text(reached.total_pj),
            )
        )
    heads = (
        *("split", "sent", "on the wire", "time", "energy", "accuracy, %"),
        *(f"round of {TARGET:.0%}", "by then", "for"),
    )
    return table(heads, rows)


def scaling_table(points: Sequence[ScalingPoint]) -> str:
    """Of every case, by workers: time and energy of a round, and the efficiency."""
    rows = []
    for network in (SLOW, FAST):
        for case in CASES:
            items = chosen(points, network[0], *case)
            name = (network[0], ", ".join(case))
            times = (item.time_ps / item.closed_ps - 1 for item in items)
            energies = (item.energy_pj / item.closed_pj - 1 for item in items)
            rows += [
                (*name, "time", *(time_text(item.time_ps) for item in items), _most(times)),
                (*name, "energy", *(energy_text(item.energy_pj) for item in items),
                 _most(energies)),
                (*name, "efficiency", *(f"{item.efficiency:.2%}" for item in items), ""),
            ]  # fmt: skip
    heads = ("links", "protocol", "a round's", *map(str, WORKERS), "off closed form, at most")
    return table(heads, rows)


def _most(shares: Iterable[float]) -> str:
    return f"{max(shares, key=abs):+.2%}"


def scaling_text(points: Sequence[ScalingPoint]) -> str:
    """What stops scaling, in sentences."""
    lines = []
    for network in (SLOW, FAST):
        star = chosen(points, network[0], *CASES[0])
        summed = [chosen(points, network[0], *case) for case in CASES[1:]]
        best = [min(rows, key=lambda item: item.time_ps) for rows in zip(*summed, strict=True)]
        names = ", ".join(f"{item.topology} for {item.workers}" for item in best[1:])
        more_ps = star[-1].time_ps - star[0].time_ps
        ring = chosen(points, network[0], "data-parallel", "ring")
        sum_ps = ring[-1].iteration_ps - ring[0].iteration_ps
        lines.append(
            f"- Links of {network[0]}. FedAvg: one worker has {star[0].efficiency:.0%} of the "
            f"speed of its chip alone, {WORKERS[-1]} workers have {star[-1].efficiency:.0%} of "
            f"{WORKERS[-1]} times that; the server adds up {time_text(more_ps)} longer. "
            f"Data-parallel: an iteration takes {time_text(ring[0].iteration_ps)} and the sum over "
            f"{WORKERS[-1]} workers in a ring {time_text(sum_ps)}, "
            f"{sum_ps / ring[0].iteration_ps:.0f} times as long; fastest: {names} workers."
        )
    return "\n".join(lines)
