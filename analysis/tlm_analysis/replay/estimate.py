"""What-if estimates from replays, with the bound that stands beside each."""

from __future__ import annotations

from dataclasses import dataclass

BOUND = 0.05  # either side; over all bundled jobs and resources the replay missed by 0.021 at most
TRUSTED_ERROR = 0.05  # a replay that misses the run itself by more says nothing of its changes


@dataclass(frozen=True)
class GainEstimate:
    """What twice as much of one resource would gain: share of the run's time, 0..1.

    ``gain`` is from replays of the run with and without relief. A run of the simulator is expected
    within ``low`` and ``high``; a gain below 0 is a loss.
    """

    resource: str
    knob: str
    gain: float

    @property
    def low(self) -> float:
        """Lower end of the bound."""
        return self.gain - BOUND

    @property
    def high(self) -> float:
        """Upper end of the bound."""
        return self.gain + BOUND

    def holds(self, measured: float) -> bool:
        """Whether a gain found by running the relieved chip lies within the bound."""
        return self.low <= measured <= self.high
