"""A job whose masks are drawn by a rule each time it is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from tlm.errors import WorkloadError
from tlm.workload.drawn.activity import Activity
from tlm.workload.drawn.masks import SEED, draw
from tlm.workload.model import Recording, Workload
from tlm.workload.values import Values


@dataclass(frozen=True)
class DrawnTensors:
    """Tensors drawn by ``rule``; ``words`` say the rule as the user wrote it."""

    rule: Activity
    words: str
    seed: int = SEED

    @property
    def activity(self) -> str:
        """The rule in words, marked as synthetic: a drawn mask stands for no training run."""
        return f"synthetic activity: {self.words}"

    def recording(self, workload: Workload, position: int) -> Recording:
        """Draw the masks of the only iteration; they are the same each time.

        Raises WorkloadError at any other position.
        """
        if position != 0:
            raise WorkloadError(
                f"{workload.name}: there is no recording {position}; there is 0 alone"
            )
        return draw(workload, self.rule)

    def values(self, workload: Workload, position: int) -> Values:
        """Raises WorkloadError: drawn masks have no values."""
        raise WorkloadError(f"{workload.name}: {self.activity} has no values; open a recorded job")


def redrawn(workload: Workload, rule: Activity, words: str) -> Workload:
    """The same job with masks that ``rule`` draws; ``words`` say the rule."""
    return replace(
        workload,
        accuracy=0.0,
        iterations=(0,),
        levels=("bits",),
        sha256=hashlib.sha256(f"{workload.sha256} {words}".encode()).hexdigest(),
        tensors=DrawnTensors(rule, words),
    )
