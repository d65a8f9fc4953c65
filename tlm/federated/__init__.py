"""Several chips in one simulated system: federated (FedAvg) and data-parallel training.

In reading order:

- ``plan``, ``plan_file``, ``preparation``: what is asked, held against what was recorded;
- ``local``: recorded iterations, each simulated once on its chip;
- ``system``: workers with their chips, on one network;
- ``topology``, ``network``: links, packets, what gets lost;
- ``fedavg``, ``all_reduce``, ``data_parallel``: the protocols, as processes;
- ``course``, ``timeline``: what happened when, and its trace;
- ``figures``, ``results``: its energies, bytes and accuracy;
- ``laws``: what must hold in every run;
- ``exchange``: from iterations to checked figures;
- ``runner``, ``files``: the run in its folder;
- ``repeat``, ``relief``: its exchange again, as it was and with one thing faster.

What no publication states (protocol, network, server) is a key of the plan with an assumed default.
"""

from tlm.federated.preparation import PreparedFederation, prepare_federation
from tlm.federated.runner import FederatedResult, run_federation

__all__ = ["FederatedResult", "PreparedFederation", "prepare_federation", "run_federation"]
