"""The form of every error about a workload file, and the usual remedies."""

from __future__ import annotations

from pathlib import Path

from tlm.errors import WorkloadError

REMEDY = "see docs/workload-format.md, or record the job again"
UNMODELLED = "it is not modelled yet: record the job without it"
DAMAGED = "the file is damaged: copy or record it again"
_SHOWN = 60


def fault(path: Path, key: str, expected: str, got: object, remedy: str) -> WorkloadError:
    """Error on one line: the file, the key in it, what was expected, what came, what to do."""
    shown = got if isinstance(got, str) else repr(got)
    shown = " ".join(shown.split())
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 3] + "..."
    return WorkloadError(f"{path}: {key}: expected {expected}, got {shown}; {remedy}")
