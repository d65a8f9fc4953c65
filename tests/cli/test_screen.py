"""The figures of the run's screen, read back from what it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from tests.trace.summaries import SUMMARY
from tlm.cli.screen import screen
from tlm.trace.summary import (
    AwaitedWork,
    BusyResource,
    EngineTime,
    LayerDensity,
    LayerSplit,
    PhaseTime,
    SparsityPart,
    Stall,
    Summary,
)


def printed(summary: Summary) -> list[list[str]]:
    """The words of every line of a summary's screen."""
    cost = SimpleNamespace(
        total_wall_s=1.0, transactions_per_s=2.0, peak_rss_mib=3.0, kernel="compiled"
    )
    chip = SimpleNamespace(assumed={"cores": ""})
    run = SimpleNamespace(summary=summary, cost=cost, chip=chip, folder=Path("run"), ok=summary.ok)
    console = Console(width=118, color_system=None)
    with console.capture() as capture:
        console.print(screen(run))  # type: ignore[arg-type]
    return [line.split() for line in capture.get().splitlines()]


def test_means_shares_and_units_are_those_of_the_summary() -> None:
    """Three engines that compute 6 us compute 2 us each; 250 of 1000 uJ are a quarter."""
    energy = replace(
        SUMMARY.energy,
        by_component_pj={"dram": 250e6, "fp": 750e6},
        by_phase_pj={"fp": 1e9},
        by_layer_pj={"0": 1e9},
    )
    time = replace(SUMMARY.time, phases={"fp": PhaseTime(0, 4_000_000, 6_000_000, 3)})
    reasons = (
        "compute",
        "dependency",
        "dram",
        "noc",
        "writeback",
        "not_begun",
        "idle",
        "unaccounted",
    )
    shares = dict(zip(reasons, (0.1, 0.2, 0.05, 0.03, 0.02, 0.15, 0.45, 0.0), strict=True))
    engines = {"fp": EngineTime(shares, 0.3, 7)}
    lines = printed(replace(SUMMARY, energy=energy, time=time, engines=engines))
    joined = [" ".join(words) for words in lines]
    assert any(line.startswith("FP 0 ps 4 us 3 2 us fp 750.0 75.0% fp 1,000.0") for line in joined)
    assert "dram 250.0 25.0%" in joined
    assert any(
        line.startswith("FP 10.0% 20.0% 5.0% 3.0% 2.0% 15.0% 45.0% 0.0% 7") for line in joined
    )
    head = "1 ms per iteration, 62.5 us per sample; 1 mJ per iteration, 62.5 uJ per sample;"
    assert f"{head} 1 W average" in joined
    moved = "4 MB (3 MB read, 1 MB written), 4.00 of 19.2 GB/s (20.8%)"
    assert any(moved in line for line in joined)


def test_a_run_names_what_was_busy_and_waited_for_and_leaves_the_verdict_to_explain() -> None:
    """No key of the chip is named as a remedy; the command that finds one is."""
    busiest = [BusyResource("DRAM channel 0", 0.6)]
    stalls = [
        Stall("bp", "conv0", "dependency", 0.08, [AwaitedWork("grad", "conv1", 0.05, 3, 0.02)]),
        Stall("fp", "conv0", "noc", 0.02, []),
    ]
    lines = printed(replace(SUMMARY, busiest=busiest, stalls=stalls))
    joined = [" ".join(words) for words in lines]
    assert "DRAM channel 0 60.0% BP conv0 8.0% dependency GRAD conv1 5.0% (core 3 2.0%)" in joined
    assert "FP conv0 2.0% noc" in joined
    assert "python -m tlm explain run" in joined
    assert not any(key in line for line in joined for key in ("noc.", "dram.", "core.engines"))


def test_a_layer_without_neurons_has_neither_spikes_nor_masks() -> None:
    """It is no layer that spikes always; what has no slots in the arrays has no share of them."""
    sparsity = SparsityPart(0.0, {"head": LayerDensity([], [], [0.25, 0.75], 0.5)})
    chip = replace(SUMMARY.chip, splits={"head": LayerSplit(1, 1, 1, 1)})
    lines = printed(replace(SUMMARY, sparsity=sparsity, chip=chip, work={"head": {}}))
    assert "head - - 50.0% 50.0% 1 x 1 x 1 = 1 core - - -".split() in lines
