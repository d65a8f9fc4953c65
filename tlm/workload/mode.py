"""What a job was recorded for."""

from __future__ import annotations

from tlm.errors import WorkloadError
from tlm.workload.model import Workload


def require_training(workload: Workload, remedy: str) -> None:
    """Raise WorkloadError that names ``remedy`` if there is no training in the job."""
    if workload.mode != "training":
        raise WorkloadError(
            f"{workload.path.name}: {workload.name} was recorded for inference; {remedy}"
        )
