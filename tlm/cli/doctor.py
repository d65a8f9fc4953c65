"""``doctor``: is everything here that the program needs?"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import typer

from tlm.cli.options import AsJson
from tlm.version import __version__

DISTRIBUTION = "snn-tlm"
PACKAGES = ("simpy", "numpy", "h5py", "matplotlib", "pydantic", "ruamel.yaml", "typer", "rich",
            "jinja2")  # fmt: skip
EXTRAS = {
    "frames": ("pandas",),
    "timeline": ("perfetto",),
    "capture": ("torch", "PIL", "sklearn"),
}
LEAST_FREE_BYTES = 1 << 30  # a run of the largest bundled job leaves less than a tenth of it
LEAST_COLUMNS = 80

CheckState = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at; a ``note`` takes something away, with a ``fault`` runs will fail."""

    what: str
    state: CheckState
    detail: str


def doctor(as_json: AsJson = False) -> None:
    """Look at versions, packages, extras, HDF5, folder and terminal; exit 2 if runs would fail."""
    results = list(findings())
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in results], indent=1, allow_nan=False))
    else:
        _show(results)
    if any(finding.state == "fault" for finding in results):
        from tlm.errors import ConfigError

        raise ConfigError("doctor: mend what is marked as a fault above, then look again")


def findings() -> Iterator[Finding]:
    """Everything that is looked at, in order."""
    yield _python()
    yield _installed()
    yield from map(_package, PACKAGES)
    yield from (_extra(name, modules) for name, modules in EXTRAS.items())
    yield _kernel()
    yield _hdf5()
    yield _jobs()
    yield _folder(Path.cwd())
    yield _terminal()


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", "ok" if sys.version_info >= (3, 11) else "fault", detail)


def _installed() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version(DISTRIBUTION)
    except PackageNotFoundError:
        return Finding("tlm", "note", f"{__version__}, run from its sources, not installed")
    return Finding("tlm", "ok", number)


def _package(name: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "fault", f"missing: pip install {name}")


def _extra(name: str, modules: tuple[str, ...]) -> Finding:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        remedy = f"pip install '{DISTRIBUTION}[{name}]'"
        return Finding(f"extra {name}", "note", f"without {', '.join(missing)}: {remedy}")
    return Finding(f"extra {name}", "ok", ", ".join(modules))


def _kernel() -> Finding:
    """Without a compiled kernel, runs give the same results and take some twenty times as long."""
    from tlm.compiled.sources import why_missing

    missing = why_missing()
    if missing is not None:
        return Finding("compiled kernel", "note", missing)
    return Finding("compiled kernel", "ok", "built of the sources that lie here")


def _hdf5() -> Finding:
    """Traces and jobs are compressed with filters that every HDF5 should have."""
    import h5py

    filters = {"gzip": h5py.h5z.FILTER_DEFLATE, "shuffle": h5py.h5z.FILTER_SHUFFLE}
    missing = [name for name, code in filters.items() if not h5py.h5z.filter_avail(code)]
    if missing:
        return Finding("HDF5", "fault", f"{h5py.version.hdf5_version} lacks {', '.join(missing)}")
    return Finding("HDF5", "ok", f"{h5py.version.hdf5_version} with {', '.join(filters)}")


def _jobs() -> Finding:
    from tlm.workload.bundled import bundled_folder, bundled_names

    names = bundled_names()
    if not names:
        return Finding("recorded jobs", "fault", f"none in {bundled_folder()}; install again")
    return Finding("recorded jobs", "ok", f"{len(names)} in {bundled_folder()}")


def _folder(folder: Path) -> Finding:
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "change folder, or give --out"
        return Finding("folder", "fault", f"{folder}: {error.strerror}; {remedy}")
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, writable, {free / 1e9:.1f} GB free"
    return Finding("folder", "ok" if free >= LEAST_FREE_BYTES else "note", detail)


def _terminal() -> Finding:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        return Finding("terminal", "ok", "none: output goes to a file or pipe, without colour")
    colours = "without colour" if console.no_color else f"colour {console.color_system or 'none'}"
    encoding = (sys.stdout.encoding or "").lower()
    detail = f"{os.environ.get('TERM', 'unnamed')}, {console.width} columns, {colours}, {encoding}"
    if console.width < LEAST_COLUMNS:
        return Finding(
            "terminal", "note", f"{detail}: tables are made for {LEAST_COLUMNS} and more"
        )
    return Finding("terminal", "ok" if "utf" in encoding else "note", detail)


def _show(results: list[Finding]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    styles = {"ok": "green", "note": "yellow", "fault": "bold red"}
    width = max(len(finding.what) for finding in results)
    for finding in results:
        console.print(f"{finding.state:5}", style=styles[finding.state], end="  ")
        console.print(f"{finding.what:{width}}  {finding.detail}", markup=False)
