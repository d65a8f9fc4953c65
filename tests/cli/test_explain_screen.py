"""The verdict of ``explain``: one bottleneck, and what a user can set about it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.trace.summaries import SUMMARY
from tlm.cli.explain_screen import show
from tlm.cli.explanation import Explanation
from tlm.config.layers import load_chip
from tlm.studies.relief import RESOURCES, knob, settings
from tlm.studies.relief_gains import ResourceGain
from tlm.trace.summary import AwaitedWork, Stall


def verdict(capsys: pytest.CaptureFixture[str], *best: str, most: float = 0.3) -> list[str]:
    """What is printed where the relief of ``best`` gains ``most``, the others less and less."""
    chip = load_chip("neuromc-20").config
    ranking = [*best, *(name for name in RESOURCES if name not in best)]
    gains = [
        ResourceGain(name, knob(name, chip), settings(name, chip), False, most - place / 50, 0.0)
        for place, name in enumerate(ranking)
    ]
    works = [AwaitedWork("grad", "conv1", 0.05, 3, 0.02), AwaitedWork("wg", "conv1", 0.01, 0, 0.01)]
    stalls = [Stall("bp", "conv0", "dependency", 0.08, works)]
    run = SimpleNamespace(summary=replace(SUMMARY, stalls=stalls))
    show(Explanation(run, None, "no trace", gains, []))  # type: ignore[arg-type]
    return capsys.readouterr().out.splitlines()


def test_the_verdict_is_what_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """Other nodes of the DRAM channels, as values of the chip."""
    lines = verdict(capsys, "nodes")
    place = lines.index("Bottleneck: DRAM at other nodes")
    assert lines[place + 1] == "Relief: --set 'dram.nodes=[1,9,10,18]'"


def test_where_no_key_halves_cycles_the_best_that_can_be_set_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """FP engines first, then DRAM's timings, then links."""
    text = " ".join(" ".join(verdict(capsys, "fp", "dram", "noc")).split())
    assert "Bottleneck: FP engines No key does just that; nearest are core.engines.fp.rows" in text
    assert "the first is NoC, 26.0%: --set 'noc.link=256 bit'" in text


def test_what_saves_no_time_is_not_called_a_bottleneck(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the first relief, nor the first of those that can be set."""
    assert "No relief saves time." in verdict(capsys, "noc", most=0.0)
    text = " ".join(" ".join(verdict(capsys, "fp", "noc", most=0.01)).split())
    assert "Bottleneck: FP engines" in text and "that can be set, none saves time" in text


def test_what_was_waited_for_is_named_with_layer_and_core(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The longest wait first."""
    words = [line.split() for line in verdict(capsys, "noc")]
    named = "GRAD conv1 5.0% (core 3 2.0%); WG conv1 1.0% (core 0 1.0%)"
    assert ["BP", "conv0", "8.0%", "dependency", *named.split()] in words
