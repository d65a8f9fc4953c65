"""Simulated time, transactions and servers: the only room that knows how SimPy works inside.

In reading order: ``environment`` (SimPy's, with types), ``transaction``, ``server`` (processes that
a transaction resumes, and completions), ``simulation`` (the run loop), ``wait_graph`` (who waits
for whom). The tie-break between events at one time is SimPy's: priority, then order of scheduling.

A compiled kernel will stand beside these modules, in a package ``fast``: it has to offer the names
below and the same tie-break, and the hardware will not know which of the two it runs on.
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
