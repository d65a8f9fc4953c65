"""The rules that masks are drawn by: dense, Bernoulli, or like a recorded job."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tlm.errors import WorkloadError
from tlm.workload.mode import require_training
from tlm.workload.model import Workload

OpenJob: TypeAlias = Callable[[str], Workload]
"""Opens a recorded job by name or path."""

_WORDS = "dense, bernoulli(DENSITY) or like(RECORDED JOB)"


@dataclass(frozen=True)
class DenseActivity:
    """Every element is set: the work of hardware that skips nothing."""


@dataclass(frozen=True)
class Bernoulli:
    """Each element is set with probability ``density``, independently of all others."""

    density: float


@dataclass(frozen=True)
class Like:
    """Patches of the last iteration of a recorded job, by relative depth and step."""

    recorded: Workload


Activity: TypeAlias = DenseActivity | Bernoulli | Like


def parse_activity(text: str, open_job: OpenJob) -> Activity:
    """An activity from ``dense``, ``bernoulli(0.1)`` or ``like(mnist-csnn)``.

    Raises WorkloadError if it is none of these, or if the job has no masks.
    """
    if text == "dense":
        return DenseActivity()
    rule = re.fullmatch(r"(bernoulli|like)\((.+)\)", text)
    if rule is None:
        raise WorkloadError(f'activity "{text}": expected {_WORDS}')
    word, argument = rule.groups()
    if word == "like":
        recorded = open_job(argument)
        require_training(recorded, "masks are drawn like those of a job recorded for training")
        return Like(recorded)
    try:
        density = float(argument)
    except ValueError:
        density = -1.0
    if not 0 <= density <= 1:
        raise WorkloadError(
            f'activity "{text}": expected a density in 0..1, such as bernoulli(0.1)'
        )
    return Bernoulli(density)
