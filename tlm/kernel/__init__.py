"""Simulated time, transactions and servers: the only room that knows how SimPy works inside.

In reading order: ``environment`` (SimPy's, with types), ``transaction``, ``server`` (processes that
a transaction resumes, and completions), ``simulation`` (the run loop), ``wait_graph`` (who waits
for whom). The tie-break between events at one time is SimPy's: priority, then order of scheduling.

``tlm.compiled`` has the same in compiled code, for the same events in the same order; what is there
for others of a simulated time is :class:`Environment`, whichever of the two it is.
"""

from tlm.kernel.environment import Environment
from tlm.kernel.server import Done, Inbox, start_server
from tlm.kernel.simulation import StuckError, collector_paused, run_until
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
    "start_server",
]
