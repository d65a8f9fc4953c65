"""What keeping data in the cores between layers is worth, as energy-delay product (EDP).

Stream (Symons et al., arXiv 2212.10612) calls it layer fusion and states up to 2.2 times.

``python -m tests.evidence.fusion [JOB ...]`` prints EDP of a job over that of the default, with
data of some kinds through DRAM that a chip keeps by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

from tests.evidence.page import simulate
from tlm.storage.candidates import Resident, candidates
from tlm.storage.plan import Plan
from tlm.workload import bundled_names

APART = ("core.memory.sharing=separate", "mapping.state=spill", "mapping.parameters=spill")
KEPT = {"inputs": {"inputs"}, "inputs and gradients": {"inputs", "dS"}}


def without(kinds: set[str], plan: Plan) -> Iterator[Resident]:
    """What may stay, without data of some kinds: no setting of the chip forbids them to."""
    return (candidate for candidate in candidates(plan) if candidate.kind not in kinds)


def edp(job: str, overrides: tuple[str, ...] = ()) -> float:
    """Energy in mJ times time in us of an iteration."""
    summary, _ = simulate(job, overrides=overrides)
    return summary.time.makespan_ps / 1e6 * summary.energy.total_pj / 1e9


def gains(job: str) -> dict[str, float]:
    """EDP over the default's, by what goes through DRAM from layer to layer.

    ``apart``: memories are separate, state, weights and moments in DRAM; what fits the spike memory
    still stays there.
    """
    default, ratios = edp(job), {}
    for name, kinds in KEPT.items():
        with patch("tlm.storage.residency.candidates", partial(without, kinds)):
            ratios[name] = edp(job) / default
    return ratios | {"apart": edp(job, APART) / default}


def main(jobs: list[str]) -> None:
    """Print them for some or all bundled jobs."""
    for job in jobs or bundled_names("training"):
        print(job, *(f"{name} {gain:.2f}" for name, gain in gains(job).items()), sep=", ")


if __name__ == "__main__":
    main(sys.argv[1:])
