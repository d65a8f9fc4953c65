"""``manifest.json``: a run's status, what it was asked to do, and all that varies between runs."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular
from tlm.running.cost import SimulationCost
from tlm.running.folder import is_locked, write_json
from tlm.trace.run_folder import check_folder
from tlm.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FILE_NAME = "manifest.json"
SCHEMA = "tlm-manifest"
PACKAGES = ("simpy", "numpy", "h5py", "pydantic", "ruamel.yaml")
STATUSES = (
    "running",
    "ok",
    "invalid",
    "deadlock",
    "interrupted",
    "out-of-memory",
    "disk-full",
    "error",
)
KILLED = "killed"  # what a reader makes of "running" where nobody runs any more
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run was made of, by name and by digest; ``seed`` is that of a drawn job."""

    workload: str
    workload_sha256: str
    iteration: int
    chip: str
    config_sha256: str
    energy_table: str
    energy_sha256: str
    dram_device: str
    dram_sha256: str
    seed: int | None


class Manifest:
    """Written with status ``running`` before anything else, replaced as a whole at the end.

    ``request``, ``inputs`` and ``estimate`` are the dataclasses of one kind of run: those of a run
    on one chip are ``RunRequest``, :class:`RunInputs` and ``RunCost``. A manifest of
    another ``schema`` is not taken for one of these.
    """

    def __init__(
        self,
        folder: Path,
        request: DataclassInstance,
        inputs: DataclassInstance,
        estimate: DataclassInstance,
        schema: str = SCHEMA,
    ) -> None:
        self._folder = folder
        self.content: dict[str, Any] = {
            "schema": schema,
            "schema_version": 2,
            "status": "running",
            "tlm_version": __version__,
            "source_sha256": source_digest(),
            "argv": sys.argv,
            "cwd": str(Path.cwd()),
            "request": asdict(request),
            "inputs": asdict(inputs),
            "estimate": asdict(estimate),
            "started": _now(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": dict(_packages()),
        }
        write_json(folder / FILE_NAME, self.content)

    def close(
        self,
        status: str,
        results: dict[str, str],
        cost: DataclassInstance | None = None,
        reason: str | None = None,
    ) -> None:
        """Replace the manifest with a final status and what is known at the end.

        ``results`` are the digests of the files by name; ``cost`` is known of a run that reached
        its end, ``reason`` is the text of the error that ended another.
        """
        self.content |= {"status": status, "finished": _now(), "results": results}
        if cost is not None:
            self.content["cost"] = asdict(cost)
        if reason is not None:
            self.content["reason"] = reason
        write_json(self._folder / FILE_NAME, self.content)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest a run left in ``folder``; its status is ``killed`` if the run died unheard.

    Raises:
        TraceError: there is none, or it is not one.
    """
    check_folder(folder)
    path = folder / FILE_NAME
    try:
        content = parse_json(read_regular(path, _MAX_BYTES))
    except ValueError as error:
        raise TraceError(
            f"{path}: cannot be read ({error}); give a folder that a run left"
        ) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise TraceError(f"{path}: expected the manifest of a run; give a folder that a run left")
    if content.get("status") not in STATUSES:
        raise TraceError(f"{path}: status: expected one of {', '.join(STATUSES)}")
    if content["status"] == "running" and not is_locked(folder):
        content["status"] = KILLED
    return content


def read_cost(folder: Path) -> SimulationCost:
    """What it took to simulate the finished run in ``folder``.

    Raises:
        TraceError: its manifest does not say.
    """
    try:
        return SimulationCost(**read_manifest(folder)["cost"])
    except (KeyError, TypeError):
        raise TraceError(
            f"{folder / FILE_NAME}: no cost of a simulation; give the folder of a finished run"
        ) from None


@cache
def source_digest() -> str:
    """SHA-256 over this package's code, presets and tables, in order of their paths."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".yaml", ".pyx", ".pxd", ".pxi"):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _packages() -> dict[str, str]:
    """Versions of ``PACKAGES``; a look-up leaves a few KB behind, so a long sweep does one."""
    return {name: version(name) for name in PACKAGES}
