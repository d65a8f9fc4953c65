"""Open a recorded job by the name of a bundled one, or by path; or a network with drawn masks."""

from __future__ import annotations

import difflib
from pathlib import Path

from tlm.errors import WorkloadError
from tlm.workload.file.reader import read_workload, stated_mode
from tlm.workload.job_file import SUFFIX as JOB_SUFFIX
from tlm.workload.job_file import read_drawn_job
from tlm.workload.model import RunMode, Workload
from tlm.workload.resampled import resampled, spelt_sizes
from tlm.workload.synthetic import is_drawn, network_names, open_drawn, open_shipped_network

SUFFIX = ".h5"
NETWORK_SUFFIX = ".py"  # of a program that describes a network
FEDERATED = "federated.json"  # in the folder of a federated run


def bundled_folder() -> Path:
    """Folder of the bundled jobs and recipes: inside a wheel, or beside the package in a clone."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_workloads"
    return inside if inside.is_dir() else package.parent / "workloads"


def bundled_names(mode: RunMode | None = None) -> list[str]:
    """Names of the bundled jobs, sorted: of all, or of those recorded for ``mode``."""
    paths = bundled_folder().glob(f"*{SUFFIX}")
    return sorted(path.stem for path in paths if mode is None or mode == stated_mode(path))


def networks_folder() -> Path:
    """Folder of the networks that are described without tensors."""
    return bundled_folder() / "networks"


def bundled_networks() -> list[str]:
    """Names of the networks that are described without tensors, sorted."""
    return network_names(networks_folder())


def open_workload(name_or_path: str) -> Workload:
    """Open a bundled job by name (``mnist-csnn``) or any workload file by path, and check it.

    ``mnist-csnn[B=64]`` repeats recorded samples (:mod:`tlm.workload.resampled`).
    ``NETWORK:ACTIVITY`` opens a described network with drawn masks: ``s-vgg16:bernoulli(0.1)``,
    ``s-resnet18[B=1]:like(mnist-csnn)``, ``s-resnet50:dense``. A NETWORK that ends in ``.py`` is
    run, so ``name_or_path`` must be the user's own word; what stands in a file goes to
    ``open_shipped``. Raises WorkloadError with the nearest names if there is no such job, and on
    one line with file, key and remedy if the file is not as docs/workload-format.md says.
    """
    if name_or_path in bundled_names():
        return read_workload(bundled_folder() / f"{name_or_path}{SUFFIX}")
    if sized := spelt_sizes(name_or_path):
        return resampled(open_workload(sized.job), sized.text)
    if is_drawn(name_or_path):
        return open_drawn(name_or_path, networks_folder(), open_workload)
    path = Path(name_or_path)
    if path.suffix == JOB_SUFFIX and path.is_file():
        return read_drawn_job(path, open_shipped)
    if path.suffix != NETWORK_SUFFIX and path.is_file():
        return read_workload(path)
    raise _no_job(name_or_path, path)


def _no_job(name: str, path: Path) -> WorkloadError:
    """Why no job opens by ``name``, which may be meant as the path ``path``."""
    if name in bundled_networks() or (path.suffix == NETWORK_SUFFIX and path.is_file()):
        return WorkloadError(
            f"{name} is a network without recorded tensors; say how to draw its masks: "
            f"{name}:dense, {name}:bernoulli(0.1) or {name}:like(JOB)"
        )
    for folder in (bundled_folder() / name, path):
        if (folder / FEDERATED).is_file():
            return WorkloadError(
                f"{name} is a federated run, of several workers: python -m tlm federated {name}; "
                f"or give the job of one, a file in {folder}"
            )
    if path.is_dir():
        return WorkloadError(f"{path}: this is a folder; expected a job's name, or its file")
    if path.suffix in (SUFFIX, JOB_SUFFIX, NETWORK_SUFFIX) or len(path.parts) > 1:
        got = "this is no regular file" if path.exists() else "there is none"
        return WorkloadError(f"{path}: expected a workload file, {got}; check the path")
    if {*"[]:"} & {*name}:
        return WorkloadError(f'"{name}": expected JOB, JOB[B=64,T=8] or NETWORK[B=1]:ACTIVITY')
    return unknown_name(name, bundled_names(), "workload")


def open_shipped(name: str) -> Workload:
    """Open a job that ships by a name that stands in a file: no path is followed, no file is run.

    Raises WorkloadError if no job, and no network with an activity, ships by that name.
    """
    if name in bundled_names():
        return read_workload(bundled_folder() / f"{name}{SUFFIX}")
    if sized := spelt_sizes(name):
        return resampled(open_shipped(sized.job), sized.text)
    drawn = open_shipped_network(name, networks_folder(), open_shipped)
    if drawn is None:
        raise WorkloadError(
            f"{name!a} is no job that ships with tlm, and what a file names is neither opened "
            "nor run: name the job yourself with --workload"
        )
    return drawn


def unknown_name(name: str, known: list[str], what: str) -> WorkloadError:
    """Error for a name that is not bundled: the nearest known one, and all of them."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ";"
    return WorkloadError(f'unknown {what} "{name}"{hint} there are: {", ".join(known) or "none"}')
