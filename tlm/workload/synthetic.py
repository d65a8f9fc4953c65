"""Networks without tensors, opened as jobs: ``NETWORK[B=1,T=4]:ACTIVITY``.

The network is a description (``workloads/networks``), its masks are drawn by an activity source.
A description is a program: ``open_drawn`` runs the user's own, ``open_shipped_network`` runs those
that ship and no other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from tlm.errors import WorkloadError
from tlm.workload.drawn.activity import Activity, Like, OpenJob, parse_activity
from tlm.workload.drawn.tensors import DrawnTensors
from tlm.workload.file.graph import check_layers, layers_to_json
from tlm.workload.file.mode import check_mode
from tlm.workload.model import Workload
from tlm.workload.network import Network
from tlm.workload.network_file import SUFFIX as NETWORK_SUFFIX
from tlm.workload.network_file import read_network_file
from tlm.workload.own_code import run_file
from tlm.workload.sizes import parse_sizes

# Descriptions of one's own take Network from here.
__all__ = ["Network", "is_drawn", "network_job", "network_names", "open_drawn",
           "open_shipped_network"]  # fmt: skip

_SPELLING = re.compile(r"([^\[\]:]+)(?:\[([^\[\]]*)\])?:(.+)")


def network_names(folder: Path) -> list[str]:
    """Names of the networks described in ``folder``, sorted."""
    return sorted(path.stem.replace("_", "-") for path in folder.glob("*.py"))


def is_drawn(text: str) -> bool:
    """Whether ``text`` is spelt as NETWORK:ACTIVITY and names no file."""
    return _SPELLING.fullmatch(text) is not None and not Path(text).exists()


def open_drawn(text: str, folder: Path, open_job: OpenJob) -> Workload:
    """Open ``NETWORK[B=1,T=4]:ACTIVITY``; what stands in brackets may be left out.

    ``folder`` holds the descriptions that ship; a NETWORK that ends in ``.py`` or ``.json`` is the
    user's own.
    Loading takes about three bytes of memory for each neuron, sample and step. Raises WorkloadError
    if there is no such network or activity.
    """
    name, sizes, activity = _spelt(text)
    network = _shipped(name, folder) or _own(name, folder)
    return _drawn(network, sizes, activity, open_job)


def open_shipped_network(text: str, folder: Path, open_job: OpenJob) -> Workload | None:
    """Open ``text`` as ``open_drawn`` does if its network is one of ``folder``; else None."""
    if _SPELLING.fullmatch(text) is None:
        return None
    name, sizes, activity = _spelt(text)
    network = _shipped(name, folder)
    return None if network is None else _drawn(network, sizes, activity, open_job)


def _spelt(text: str) -> tuple[str, str, str]:
    """Network, sizes and activity of a text that is spelt so."""
    spelt = _SPELLING.fullmatch(text)
    assert spelt is not None
    name, sizes, activity = spelt.groups()
    return name, sizes or "", activity


def _drawn(network: Network, sizes: str, activity: str, open_job: OpenJob) -> Workload:
    return network_job(_resized(network, sizes), parse_activity(activity, open_job), activity)


def network_job(network: Network, rule: Activity, words: str) -> Workload:
    """The job of a network with masks that ``rule`` draws; ``words`` say the rule.

    Raises WorkloadError naming the layer and field if the layers do not fit together.
    """
    path = Path(network.name)
    check_layers(path, network.layers)
    stem = f"{layers_to_json(network.layers)} {network.batch} {network.steps} {words}"
    if isinstance(rule, Like):
        stem += f" {rule.recorded.sha256}"
    job = Workload(
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
    check_mode(job)
    return job


def _shipped(name: str, folder: Path) -> Network | None:
    """The network of that name that ships, if there is one."""
    if name not in network_names(folder):
        return None
    return _described(folder / f"{name.replace('-', '_')}.py")


def _own(name: str, folder: Path) -> Network:
    """The user's own network, by the path of its description."""
    path = Path(name)
    if path.suffix == NETWORK_SUFFIX and path.is_file():
        return read_network_file(path)
    if path.suffix in (".py", NETWORK_SUFFIX) and not path.is_file():
        raise WorkloadError(f"{path}: expected a network's file, there is none; check the path")
    if path.suffix != ".py":
        known = ", ".join(network_names(folder))
        raise WorkloadError(
            f'unknown network "{name}"; there are: {known}; or give a .py file of your own, or '
            "a .json of `workload import`"
        )
    return _described(path)


def _described(path: Path) -> Network:
    """The network that a description defines."""
    network = run_file(path).get("NETWORK")
    if not isinstance(network, Network):
        got = "nothing of that name" if network is None else type(network).__name__
        raise WorkloadError(f"{path}: expected NETWORK to be a Network, got {got}")
    return network


def _resized(network: Network, sizes: str) -> Network:
    """The network with another B or T, from ``B=1,T=2``."""
    asked = parse_sizes(sizes)
    return replace(network, batch=asked.batch or network.batch, steps=asked.steps or network.steps)
