"""Neurons of random networks: fixed and learnt leaks, potentials, and what axes each sees."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.workload.nets.parts import LIF, NEURONS, Leak, StepLIF, Triangle
from tlm.workload.capture import declare, learns


class Learnt(Leak):
    """V = V + (I - V) sigmoid(w), of which w learns (PLIF)."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.5))

    def charged(self, membrane: Any, current: Any) -> Any:
        return membrane + (current - membrane) * torch.sigmoid(self.w)


class PLIF(Learnt, LIF):
    """Over all steps."""


class StepPLIF(Learnt, StepLIF):
    """Step by step."""


class LI(Leak):
    """A read-out that leaks and never fires: its potentials of all steps."""

    def forward(self, currents: Any) -> Any:
        """Potentials of [T, B, K]."""
        membrane, out = torch.zeros_like(currents[0]), []
        for current in currents:
            membrane = self.charged(membrane, current)
            out.append(membrane)
        return torch.stack(out)


class StepLI(StepLIF):
    """The same, step by step."""

    def forward(self, current: Any) -> Any:
        """The potential of one step [B, K]."""
        rest = torch.zeros_like(current) if self.membrane is None else self.membrane
        self.membrane = self.charged(rest, current)
        return self.membrane


class BatchFirst(Leak):
    """Over [B, T, ...]; for a class that knows [T, B, ...]."""

    def forward(self, currents: Any) -> Any:
        """The same axes again."""
        return super().forward(currents.transpose(0, 1)).transpose(0, 1)


class BatchLIF(BatchFirst, LIF):
    """Batch first."""


class BatchPLIF(BatchFirst, PLIF):
    """Batch first."""


class BatchLI(BatchFirst, LI):
    """Batch first."""


_LEARNT = declare(
    spike=Triangle.apply, decay=0.5, gain=0.5, learnt={"leak": learns("w", torch.sigmoid)}
)
_READ_OUT = declare(decay=0.5, reset="none", output="membrane")
KNOWN = NEURONS | {
    BatchLIF: NEURONS[LIF],
    **dict.fromkeys((PLIF, StepPLIF, BatchPLIF), _LEARNT),
    **dict.fromkeys((LI, StepLI, BatchLI), _READ_OUT),
}
"""The equations of all of them."""
