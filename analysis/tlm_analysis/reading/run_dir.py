"""The files a run leaves beside its trace: manifest, summary and energy table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tlm.config.yaml_file import read_mapping
from tlm.errors import TraceError
from tlm.federated.files import is_federated
from tlm.files import parse_json, read_regular
from tlm.trace.summary import Summary
from tlm.trace.summary_file import read_summary
from tlm_analysis.reading.energy import RunEnergy, read_energy

CONFIG_NAME = "config.resolved.yaml"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class RunDir:
    """A finished run's folder; files are read on first use.

    Each raises TraceError if its file is missing or is not what a run writes.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @cached_property
    def summary(self) -> Summary:
        """``summary.json``."""
        return read_summary(self.folder)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """``manifest.json``."""
        return _manifest(self.folder / "manifest.json")

    @cached_property
    def config(self) -> dict[str, str]:
        """Every chip value of ``config.resolved.yaml`` by its dotted key, as written there."""
        path = self.folder / CONFIG_NAME
        return dict(_flat("", read_mapping(path, str(path))))

    @cached_property
    def energy(self) -> RunEnergy:
        """``energy.csv``."""
        return read_energy(self.folder)


def open_run_dir(folder: str | Path) -> RunDir:
    """A run folder whose summary can be read.

    Raises:
        TraceError: it is no folder, or no finished run.
    """
    run = RunDir(Path(folder))
    if not run.folder.is_dir():
        what = "this is a file" if run.folder.exists() else "no such folder"
        raise TraceError(f"{run.folder}: {what}; give the folder of a finished run")
    if is_federated(run.folder):
        raise TraceError(
            f"{run.folder}: a federated run; explain, report, plot and export read it, and other "
            "verbs read the runs of its chips under iterations/"
        )
    _ = run.summary
    return run


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Dotted keys and values of nested mappings."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    else:
        yield prefix, str(value)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(read_regular(path, _MAX_BYTES))
    except ValueError as error:
        raise TraceError(f"{path}: {error}; give the folder of a finished run") from None
    if not isinstance(value, dict) or value.get("schema") != "tlm-manifest":
        raise TraceError(f"{path}: expected the manifest of a run; run the job again")
    return value
