"""The files a run leaves beside its trace: manifest, summary and energy table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tlm.errors import TraceError
from tlm.trace.summary import Summary
from tlm.trace.summary_file import read_summary
from tlm_analysis.reading.energy import RunEnergy, read_energy


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
        return _read_json(self.folder / "manifest.json", "tlm-manifest")

    @cached_property
    def config(self) -> dict[str, str]:
        """Every chip value of ``config.resolved.yaml`` by its dotted key, as written there."""
        path = self.folder / "config.resolved.yaml"
        try:
            document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        except (OSError, YAMLError):
            raise TraceError(f"{path}: missing or not readable; run the job again") from None
        return dict(_flat("", document))

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
        raise TraceError(f"{run.folder}: no such folder; give the folder of a finished run")
    _ = run.summary
    return run


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Dotted keys and values of nested mappings."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    else:
        yield prefix, str(value)


def _read_json(path: Path, schema: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; give the folder of a finished run") from None
    except (OSError, ValueError) as error:
        raise TraceError(f"{path}: not readable as JSON ({error}); run the job again") from None
    if not isinstance(value, dict) or value.get("schema") != schema:
        raise TraceError(f"{path}: expected JSON of schema {schema!r}; run the job again")
    return value
