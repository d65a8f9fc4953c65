"""More of a resource may make a run slower: how often list scheduling does so, and by how much.

``python -m tests.reliability.anomalies --n 100`` runs the programs of random pairs again on a chip
that has more of one thing, each program as it is, and prints a row for each resource.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.reliability.pairs import Pair, pairs
from tlm.config.chip import ChipConfig
from tlm.errors import TlmError
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.running.preparation import PreparedRun, prepare
from tlm.running.request import RunRequest

More = Callable[[ChipConfig], ChipConfig]


def _noc(**changed: object) -> More:
    return lambda chip: chip.model_copy(update={"noc": chip.noc.model_copy(update=changed)})


def _core(**changed: object) -> More:
    return lambda chip: chip.model_copy(update={"core": chip.core.model_copy(update=changed)})


RESOURCES: dict[str, More] = {
    "links of 4096 bit": _noc(link=4096),
    "a mesh without contention": _noc(model="ideal"),
    "4096 transactions outstanding": _core(outstanding=4096),
}


def makespan_ps(prepared: PreparedRun, config: ChipConfig) -> int:
    """Time of the run's program on ``config``."""
    chip = Chip(config, prepared.timing, prepared.program, None, None)
    run_until(chip.env, chip.finished)
    return int(chip.env.now)


def run(number: int, start: int = 0) -> dict[str, list[float]]:
    """Of each resource, the makespans with more of it over those without, pair by pair."""
    ratios: dict[str, list[float]] = {name: [] for name in RESOURCES}

    @seed(start)
    @settings(
        max_examples=number, phases=[Phase.generate], database=None, derandomize=False,
        deadline=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(pairs())
    def measure(pair: Pair) -> None:
        workload = pair.job
        try:
            request = RunRequest(
                workload.name, overrides=tuple(pair.chip), activity=pair.activity,
                weights=pair.weights,
            )  # fmt: skip
            prepared = prepare(request, workload)
        except TlmError:
            return
        base = makespan_ps(prepared, prepared.chip.config)
        for name, more in RESOURCES.items():
            ratios[name].append(makespan_ps(prepared, more(prepared.chip.config)) / base)

    measure()
    return ratios


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="pairs to draw")
    for resource, ratios in run(parser.parse_args().n).items():
        slower = [ratio for ratio in ratios if ratio > 1]
        worst = f"{max(ratios) - 1:.2%}" if slower else "-"
        print(f"| {resource} | {len(ratios)} | {len(slower)} | {worst} |")
