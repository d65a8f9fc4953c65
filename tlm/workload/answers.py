"""What the network of an inference job answered, beside what was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Answers:
    """One number for each of B samples.

    ``labels`` are the right classes and ``decisions`` the classes that the network named: indices
    of output neurons. ``decision_steps`` are the steps of the first output spike, 0 .. T - 1, or T
    where none came.
    """

    labels: NDArray[np.int64]
    decisions: NDArray[np.int64]
    decision_steps: NDArray[np.int64]

    def of(self, samples: slice | NDArray[np.int64]) -> Answers:
        """Those of some samples: a range of them, or their numbers."""
        return Answers(self.labels[samples], self.decisions[samples], self.decision_steps[samples])

    @property
    def right(self) -> int:
        """How many decisions are right."""
        return int(np.count_nonzero(self.decisions == self.labels))
