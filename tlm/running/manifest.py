"""``manifest.json``: a run's status, what it was asked to do, and all that varies between runs."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tlm.errors import TraceError
from tlm.running.folder import is_locked, write_json
from tlm.version import __version__

FILE_NAME = "manifest.json"
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


class Manifest:
    """Written with status ``running`` before anything else, replaced as a whole at the end."""

    def __init__(
        self,
        folder: Path,
        request: dict[str, Any],
        inputs: dict[str, Any],
        estimate: dict[str, Any],
    ) -> None:
        self._folder = folder
        self.content: dict[str, Any] = {
            "schema": "tlm-manifest",
            "schema_version": 2,
            "status": "running",
            "tlm_version": __version__,
            "source_sha256": source_digest(),
            "argv": sys.argv,
            "cwd": str(Path.cwd()),
            "request": request,
            "inputs": inputs,
            "estimate": estimate,
            "started": _now(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: version(name) for name in PACKAGES},
        }
        write_json(folder / FILE_NAME, self.content)

    def close(self, status: str, **figures: Any) -> None:
        """Replace the manifest with a final status and what is known at the end."""
        self.content |= {"status": status, "finished": _now(), **figures}
        write_json(self._folder / FILE_NAME, self.content)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest a run left in ``folder``; its status is ``killed`` if the run died unheard.

    Raises:
        TraceError: there is none, or it is not one.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        content = json.loads(data) if len(data) <= _MAX_BYTES else None
    except OSError as error:
        raise TraceError(
            f"{path}: cannot be read ({error.strerror}); give a folder that a run left"
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("schema") != "tlm-manifest":
        raise TraceError(f"{path}: expected the manifest of a run; give a folder that a run left")
    if content.get("status") not in STATUSES:
        raise TraceError(f"{path}: status: expected one of {', '.join(STATUSES)}")
    if content["status"] == "running" and not is_locked(folder):
        content["status"] = KILLED
    return content


@cache
def source_digest() -> str:
    """SHA-256 over this package's code, presets and tables, in order of their paths."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".yaml"):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
