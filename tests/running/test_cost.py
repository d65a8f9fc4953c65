"""The estimate before a run beside what the run takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.kills import environment
from tlm.config import load_chip
from tlm.running.cost import chip_bytes, estimate
from tlm.running.kernels import KERNELS
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.trace.limits import NO_LIMITS
from tlm.trace.schema import LEVELS

WIDE = ("mesh.columns=16", "mesh.rows=16", "cores=256")


@pytest.mark.parametrize("settings", [(), WIDE], ids=["as it is", "256 cores"])
def test_memory_is_estimated_near_the_peak(tmp_path: Path, settings: tuple[str, ...]) -> None:
    """Within a fifth, in a process of its own; kernel events as well."""
    words = [word for setting in settings for word in ("--set", setting)]
    out = tmp_path / "run"
    command = [sys.executable, "-m", "tlm", "run", "digits", *words, "--out", str(out)]
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    manifest = json.loads((out / "manifest.json").read_text())
    expected, cost = manifest["estimate"], manifest["cost"]
    assert expected["memory_bytes"] == pytest.approx(cost["peak_rss_mib"] * 2**20, rel=0.2)
    assert expected["transactions"] == cost["transactions"]
    assert expected["events"] == pytest.approx(cost["events"], rel=0.35)


def test_nodes_without_a_core_count() -> None:
    """Four times the nodes, four times their memory; routers weigh more than links."""
    chips = [
        load_chip("neuromc-20", [f"mesh.columns={n}", f"mesh.rows={n}", f"noc.model={model}"])
        for model in ("packet", "router")
        for n in (64, 128)
    ]
    small, large, routers, more_routers = (chip_bytes(chip.config) for chip in chips)
    assert large / small == pytest.approx(4, rel=0.05)
    assert more_routers / routers == pytest.approx(4, rel=0.05)
    assert routers > 4 * small


PLAIN = ("mapping.search=none", "mapping.split=k")  # cuts that do not depend on distances


def test_events_grow_with_the_way_to_memory() -> None:
    """The same cores on a mesh with four times the distances."""
    runs = [
        prepare(RunRequest("digits", overrides=(f"mesh.columns={n}", f"mesh.rows={n}", *PLAIN)))
        for n in ("8", "32")
    ]
    near, far = (estimate(run.program, run.chip.config, "off", NO_LIMITS, "simpy") for run in runs)
    assert near.transactions == far.transactions
    assert 2 * near.events < far.events < 4 * near.events


@pytest.mark.parametrize("noc", ["ideal", "packet", "router"])
def test_time_is_estimated_for_each_kernel(noc: str) -> None:
    """The compiled one is several times as fast; a trace costs time on both; so do routers."""
    run = prepare(RunRequest("digits", overrides=(f"noc.model={noc}",)))
    seconds = {
        (kernel, trace): estimate(run.program, run.chip.config, trace, NO_LIMITS, kernel).wall_s
        for kernel in KERNELS
        for trace in ("off", "phase", "transaction")
    }
    for kernel in KERNELS:
        off, phase, transaction = (seconds[kernel, trace] for trace in LEVELS)
        assert 0 < off < phase < transaction < 2 * off
    assert 4 < seconds["simpy", "off"] / seconds["compiled", "off"] < 40
    # Measured on an idle core of a 2-core machine: 0.085 and 0.47 s with links and with routers.
    assert seconds["simpy", "off"] == pytest.approx(0.47 if noc == "router" else 0.085, rel=0.5)
