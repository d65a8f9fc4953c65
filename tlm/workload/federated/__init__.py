"""Recorded federated runs: what N workers trained on, how well, and one job of each (no torch).

compression  what a worker's upload is reduced to, and its bytes
model        FederatedRun: splits of the data, variants with their accuracy, jobs by worker
read         a folder -> FederatedRun, checked whole
bundled      open a run by name or folder

How such a run is trained and recorded is in ``tlm.workload.training.federated`` (torch).
"""

from __future__ import annotations

from tlm.workload.federated.bundled import federated_names, is_federated, open_federated
from tlm.workload.federated.compression import Compression, download_nbytes, upload_nbytes
from tlm.workload.federated.model import (
    FederatedRun,
    FederatedSplit,
    FederatedVariant,
    WorkerData,
)
from tlm.workload.federated.read import FILE_NAME

__all__ = [
    "FILE_NAME",
    "Compression",
    "FederatedRun",
    "FederatedSplit",
    "FederatedVariant",
    "WorkerData",
    "download_nbytes",
    "federated_names",
    "is_federated",
    "open_federated",
    "upload_nbytes",
]
