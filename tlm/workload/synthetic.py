"""Networks without tensors, opened as jobs: ``NETWORK[B=1,T=4]:ACTIVITY``.

The network is a description (``workloads/networks``), its masks are drawn by an activity source.
"""

from __future__ import annotations

import hashlib
import re
import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlm.errors import WorkloadError
from tlm.workload.drawn.activity import SEED, Activity, Like, draw, parse_activity
from tlm.workload.file.graph import check_layers, layers_to_json
from tlm.workload.model import Encoding, Layer, Recording, Workload
from tlm.workload.values import Values

_SPELLING = re.compile(r"([^\[\]:]+)(?:\[([^\[\]]*)\])?:(.+)")


@dataclass(frozen=True)
class Network:
    """A network's shapes: B samples, T steps, layers; ``source`` says where they are from."""

    name: str
    layers: tuple[Layer, ...]
    batch: int
    steps: int
    encoding: Encoding
    source: str


@dataclass(frozen=True)
class DrawnWorkload(Workload):
    """A job whose masks are drawn, not recorded; it has one iteration, number 0."""

    drawn_by: Activity
    drawn_as: str

    @property
    def activity(self) -> str:
        """The activity source, marked as synthetic."""
        return f"synthetic activity: {self.drawn_as}"

    @property
    def seed(self) -> int:
        """What seeded the drawing."""
        return SEED

    def load(self, which: int) -> Recording:
        """Draw the masks; the same each time."""
        if which != 0:
            raise WorkloadError(f"{self.name}: there is no recording {which}; there is 0 alone")
        return draw(self, self.drawn_by)

    def load_values(self, which: int) -> Values:
        """Raises WorkloadError: drawn masks have no values."""
        raise WorkloadError(f"{self.name}: {self.activity} has no values; open a recorded job")


def network_names(folder: Path) -> list[str]:
    """Names of the networks described in ``folder``, sorted."""
    return sorted(path.stem.replace("_", "-") for path in folder.glob("*.py"))


def is_drawn(text: str) -> bool:
    """Whether ``text`` is spelt as NETWORK:ACTIVITY and names no file."""
    return _SPELLING.fullmatch(text) is not None and not Path(text).exists()


def open_drawn(text: str, folder: Path, open_job: Any) -> Workload:
    """Open ``NETWORK[B=1,T=4]:ACTIVITY``; what stands in brackets may be left out.

    ``folder`` holds the descriptions, ``open_job`` opens a recorded job. Loading takes about three
    bytes of memory for each neuron, sample and step. Raises WorkloadError if there is no such
    network or activity.
    """
    spelt = _SPELLING.fullmatch(text)
    assert spelt is not None
    name, sizes, activity = spelt.groups()
    network = _resized(_load(name, folder), sizes or "")
    source = parse_activity(activity, open_job)
    return network_job(network, source, activity)


def network_job(network: Network, source: Activity, activity: str) -> DrawnWorkload:
    """The job of a network with masks from ``source``; ``activity`` says so in words."""
    path = Path(network.name)
    check_layers(path, network.layers)
    stem = f"{layers_to_json(network.layers)} {network.batch} {network.steps} {activity}"
    if isinstance(source, Like):
        stem += f" {source.recorded.sha256}"
    return DrawnWorkload(
        path=path,
        name=network.name,
        layers=network.layers,
        steps=network.steps,
        batch=network.batch,
        dataset=f"none: {network.source}",
        licence="none",
        accuracy=0.0,
        optimizer="adam",
        encoding=network.encoding,
        iterations=(0,),
        levels=("bits",),
        provenance={"network": network.source},
        sha256=hashlib.sha256(stem.encode()).hexdigest(),
        drawn_by=source,
        drawn_as=activity,
    )


def redrawn(workload: Workload, activity: Activity, drawn_as: str) -> DrawnWorkload:
    """The same job with masks that ``activity`` draws; ``drawn_as`` says so in words."""
    return DrawnWorkload(
        path=workload.path,
        name=workload.name,
        layers=workload.layers,
        steps=workload.steps,
        batch=workload.batch,
        dataset=workload.dataset,
        licence=workload.licence,
        accuracy=0.0,
        optimizer=workload.optimizer,
        encoding=workload.encoding,
        iterations=(0,),
        levels=("bits",),
        provenance=workload.provenance,
        sha256=hashlib.sha256(f"{workload.sha256} {drawn_as}".encode()).hexdigest(),
        drawn_by=activity,
        drawn_as=drawn_as,
    )


def _load(name: str, folder: Path) -> Network:
    """The description of a bundled network by name, or of one's own by path."""
    path = folder / f"{name.replace('-', '_')}.py"
    if name not in network_names(folder):
        path = Path(name)
        if path.suffix != ".py" or not path.is_file():
            known = ", ".join(network_names(folder))
            raise WorkloadError(
                f'unknown network "{name}"; there are: {known}; or give a .py file of your own'
            )
    # Not imported: an import would leave compiled files beside the descriptions.
    network = runpy.run_path(str(path)).get("NETWORK")
    if not isinstance(network, Network):
        raise WorkloadError(f"{path}: expected NETWORK to be a Network")
    return network


def _resized(network: Network, sizes: str) -> Network:
    """The network with another B or T, from ``B=1,T=2``."""
    fields = {"B": "batch", "T": "steps"}
    changed: dict[str, int] = {}
    for part in filter(None, sizes.split(",")):
        found = re.fullmatch(r"\s*([BT])=([1-9]\d{0,3})\s*", part)
        if found is None:
            raise WorkloadError(f'"[{sizes}]": expected B and T from 1, such as [B=1,T=4]')
        changed[fields[found[1]]] = int(found[2])
    return replace(
        network,
        batch=changed.get("batch", network.batch),
        steps=changed.get("steps", network.steps),
    )
