"""Replay: the recorded tiles of a run executed again on a simpler chip, for what-if estimates.

Order, dependencies, sizes and computing times of the tiles are those of the run. Engines, DMA and
mesh do what they do in the simulator (with ideal DRAM the two agree to the picosecond). What is
simpler is the DRAM controller: it serves whole transactions, opens one row per bank ahead of time,
and spreads refresh over all time. Virtual channels and credits of the router mesh are left out.

In reading order: ``chip`` (what a replay is given), ``packet``, ``channel``, ``fabric`` (clock and
mesh), ``programs`` (the engines), ``estimate`` (what is concluded).
"""

from tlm_analysis.replay.chip import ReplayChip
from tlm_analysis.replay.estimate import BOUND, TRUSTED_ERROR, GainEstimate
from tlm_analysis.replay.programs import replay_ps

__all__ = ["BOUND", "TRUSTED_ERROR", "GainEstimate", "ReplayChip", "replay_ps"]
