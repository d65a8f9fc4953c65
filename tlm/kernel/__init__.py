"""Simulated time, transactions and servers: the only room that knows how SimPy works inside.

The tie-break between events at one time is SimPy's: priority, then order of scheduling.
"""

from tlm.kernel.environment import Environment
from tlm.kernel.server import Done, Inbox, start_server
from tlm.kernel.simulation import StuckError, collector_paused, run_until, scheduled
from tlm.kernel.transaction import Callbacks, Path, Transaction

__all__ = [
    "Callbacks",
    "Done",
    "Environment",
    "Inbox",
    "Path",
    "StuckError",
    "Transaction",
    "collector_paused",
    "run_until",
    "scheduled",
    "start_server",
]
