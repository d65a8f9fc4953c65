"""What a run takes of a job: its masks as recorded, or one of the two it is measured against.

recorded  the job as it is
dense     the same masks and T, but the engines skip nothing
ann       the same network with T = 1, 16-bit activations and every multiply-accumulate done
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from tlm.errors import ConfigError
from tlm.workload.drawn.ann import as_ann
from tlm.workload.model import Workload

ActivityKind: TypeAlias = Literal["recorded", "dense", "ann"]
ACTIVITY_KINDS: tuple[ActivityKind, ...] = ("recorded", "dense", "ann")


def as_activity(workload: Workload, kind: ActivityKind) -> Workload:
    """The job that stands for ``kind``; that nothing is skipped is a matter of the chip.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in ACTIVITY_KINDS:
        kinds = ", ".join(ACTIVITY_KINDS)
        raise ConfigError(f"activity: there is no kind {kind!r}; give one of: {kinds}")
    return as_ann(workload) if kind == "ann" else workload
