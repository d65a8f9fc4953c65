"""Open a recorded federated run by the name of a bundled one, or by its folder."""

from __future__ import annotations

from pathlib import Path

from tlm.errors import WorkloadError
from tlm.workload.bundled import bundled_folder, bundled_names, unknown_name
from tlm.workload.federated.model import FederatedRun
from tlm.workload.federated.read import FILE_NAME, read_federated


def federated_names() -> list[str]:
    """Names of the bundled federated runs, sorted."""
    return sorted(path.parent.name for path in bundled_folder().glob(f"*/{FILE_NAME}"))


def is_federated(name_or_path: str) -> bool:
    """Whether this names a bundled federated run, or a folder of one."""
    path = Path(name_or_path)
    return str(path) in federated_names() or (path / FILE_NAME).is_file()


def open_federated(name_or_path: str) -> FederatedRun:
    """Open a bundled federated run by name (``fed-mnist``) or any by its folder, and check it.

    Raises WorkloadError with the nearest name if there is none, and on one line with file, key
    and remedy if a file is missing or is not as docs/workload-format.md says.
    """
    if name_or_path in federated_names():
        return read_federated(bundled_folder() / name_or_path)
    path = Path(name_or_path)
    if path.is_dir():
        return read_federated(path)
    if str(path) in federated_names():  # a name with a slash behind it
        return read_federated(bundled_folder() / path)
    if path.is_file() or name_or_path in bundled_names():
        raise WorkloadError(
            f"{name_or_path} is no federated run but one job: python -m tlm run {name_or_path}"
        )
    if len(path.parts) > 1:
        raise WorkloadError(f"{path}: expected the folder of a federated run, there is none")
    raise unknown_name(name_or_path, federated_names(), "federated run")
