"""Federated runs that between them use every mechanism of the exchange, run with all laws.

``python -m tests.reliability.probe_federated`` prints how the first that does not end ok ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.federated.recording import write_chip, write_recording
from tests.federated.systems import iteration, prepared
from tests.federated.test_plan_file import plan_file
from tlm.errors import TlmError
from tlm.federated import prepare_federation, run_federation
from tlm.federated.exchange import exchange
from tlm.running.interrupts import StopRequest

PARAMETERS = 20_001  # shares of it are not even
SUMMED = {"protocol": "data-parallel"}
LINKS = {"worker1": {"bandwidth": "100 Mbit/s"}, "worker2": {"latency": "2 ms"}}
PLANS: dict[str, dict[str, object]] = {
    "FedAvg": {},
    "FedAvg, costly server": {"server": {"add_energy": "1 pJ", "power": "9 W", "adds_per_s": 1e7}},
    "FedAvg, losses, links": {"network": {"loss": 0.2}, "links": LINKS},
    "FedAvg, slow, overlap": {"slow": {"worker1": 2.5}, "overlap": True},
    "FedAvg, slow worker0 adds": {"slow": {"worker0": 3.0}, "aggregator": "worker0"},
    "FedAvg, ring": {"network": {"topology": "ring", "loss": 0.1}, "workers": 5},
    "FedAvg, tree, top-k": {
        "network": {"topology": "tree"}, "workers": 6, "variant": {"compression": "top-0.01"},
    },
    "FedAvg, drop": {"drop": {"worker2": {"round": 2, "at": 0.5}}, "deadline": "20 ms"},
    "FedAvg, late": {"slow": {"worker1": 1.9}, "deadline": "7 ms", "overlap": True},
    "FedAvg, one round a link late": {"links": LINKS, "deadline": "9 ms"},
    "sums, star": {**SUMMED, "slow": {"worker1": 1.5}},
    "sums, star at worker0": {**SUMMED, "aggregator": "worker0", "overlap": True},
    "sums, ring": {**SUMMED, "network": {"topology": "ring"}, "workers": 4},
    "sums, ring, fp16, overlap": {
        **SUMMED, "network": {"topology": "ring", "loss": 0.1}, "links": LINKS, "overlap": True,
        "variant": {"compression": "fp16"},
    },
    "sums, tree": {**SUMMED, "network": {"topology": "tree"}, "workers": 6},
}  # fmt: skip
ON_CHIPS = {
    "FedAvg on chips": "workers: 4\noverlap: true\naggregator: worker0",
    "FedAvg on two chips": "chip: [{0}/small.yaml, {0}/slow.yaml, {0}/small.yaml]",
    "sums on chips": "protocol: data-parallel\nnetwork: {{topology: ring}}\noverlap: true",
}


def first_fault() -> str:
    """How the first run that is not ok ends, or nothing."""
    for name, plan in PLANS.items():
        if broken := _exchanged(plan):
            return f"{name}: {broken}"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_recording(place / "fed")
        write_chip(place / "small.yaml")
        write_chip(place / "slow.yaml", clock=250)
        for number, (name, text) in enumerate(ON_CHIPS.items()):
            chip = "" if "chip:" in text else "chip: {0}/small.yaml\n"
            source = plan_file(place, (chip + text).format(place))
            if broken := _run(source, place / str(number)):
                return f"{name}: {broken}"
    return ""


def _exchanged(plan: Mapping[str, object]) -> str:
    federation = prepared(plan, PARAMETERS, counts=(4, 3, 4))
    try:
        summary = exchange(federation, [iteration(PARAMETERS)], StopRequest()).summary
    except TlmError as error:
        return str(error)
    return f"law: {', '.join(summary.broken)}" if summary.broken else ""


def _run(source: str, folder: Path) -> str:
    try:
        summary = run_federation(prepare_federation(source, 1), folder).summary
    except TlmError as error:
        return str(error)
    return f"law: {', '.join(summary.broken)}" if summary.broken else ""


if __name__ == "__main__":
    print(first_fault() or "ok")
