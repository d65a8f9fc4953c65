"""Laws of a federated run, counted anew from its plan, its recording and its figures.

They know nothing of the processes that made the figures. A run that breaks one is INVALID.

================ ==================================================================================
file             laws
================ ==================================================================================
``times.py``     Rounds follow each other; a worker's times add up to its round; nothing that counts
                 arrives after the round, and a worker that has gone has no upload.
``bytes.py``     Bytes sent are the model's times uploads and downloads; bytes on the wire are these
                 over all links, and the packets sent again.
``energies.py``  Energies follow from iterations, leakage, bits and additions, and add up.
``bounds.py``    No round is faster than its slowest training and the transfers that must follow.
================ ==================================================================================
"""

from __future__ import annotations

from tlm.federated.laws.bounds import least_times
from tlm.federated.laws.bytes import sent_bytes, wire_bytes
from tlm.federated.laws.energies import additions, energies, sums
from tlm.federated.laws.times import answers, rounds_in_order, worker_times
from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import FederatedSummary
from tlm.laws.check import Check

__all__ = ["check_federated"]


def check_federated(loaded: LoadedPlan, summary: FederatedSummary) -> list[Check]:
    """All laws of a finished run."""
    return [
        *rounds_in_order(loaded, summary),
        *worker_times(summary),
        *answers(loaded, summary),
        *sent_bytes(loaded, summary),
        *wire_bytes(loaded, summary),
        *energies(loaded, summary),
        *additions(loaded, summary),
        *sums(summary),
        *least_times(loaded, summary),
    ]
