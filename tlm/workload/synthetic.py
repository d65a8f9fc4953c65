"""Networks without tensors, opened as jobs: ``NETWORK[B=1,T=4]:ACTIVITY``.

The network is a description (``workloads/networks``), its masks are drawn by an activity source.
"""

from __future__ import annotations

import hashlib
import re
import runpy
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.errors import WorkloadError
from tlm.workload.drawn.activity import Activity, Like, OpenJob, parse_activity
from tlm.workload.drawn.tensors import DrawnTensors
from tlm.workload.file.graph import check_layers, layers_to_json
from tlm.workload.model import Encoding, Layer, Workload

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


def network_names(folder: Path) -> list[str]:
    """Names of the networks described in ``folder``, sorted."""
    return sorted(path.stem.replace("_", "-") for path in folder.glob("*.py"))


def is_drawn(text: str) -> bool:
    """Whether ``text`` is spelt as NETWORK:ACTIVITY and names no file."""
    return _SPELLING.fullmatch(text) is not None and not Path(text).exists()


def open_drawn(text: str, folder: Path, open_job: OpenJob) -> Workload:
    """Open ``NETWORK[B=1,T=4]:ACTIVITY``; what stands in brackets may be left out.

    ``folder`` holds the descriptions. Loading takes about three bytes of memory for each neuron,
    sample and step. Raises WorkloadError if there is no such
    network or activity.
    """
    spelt = _SPELLING.fullmatch(text)
    assert spelt is not None
    name, sizes, activity = spelt.groups()
    network = _resized(_load(name, folder), sizes or "")
    return network_job(network, parse_activity(activity, open_job), activity)


def network_job(network: Network, rule: Activity, words: str) -> Workload:
    """The job of a network with masks that ``rule`` draws; ``words`` say the rule.

    Raises WorkloadError naming the layer and field if the layers do not fit together.
    """
    path = Path(network.name)
    check_layers(path, network.layers)
    stem = f"{layers_to_json(network.layers)} {network.batch} {network.steps} {words}"
    if isinstance(rule, Like):
        stem += f" {rule.recorded.sha256}"
    return Workload(
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
        tensors=DrawnTensors(rule, words),
    )


def _load(name: str, folder: Path) -> Network:
    """The description of a bundled network by name, or of the user's network by path."""
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
        size = re.fullmatch(r"\s*([BT])=([1-9]\d{0,3})\s*", part)
        if size is None:
            raise WorkloadError(f'"[{sizes}]": expected B and T from 1, such as [B=1,T=4]')
        changed[fields[size[1]]] = int(size[2])
    return replace(
        network,
        batch=changed.get("batch", network.batch),
        steps=changed.get("steps", network.steps),
    )
