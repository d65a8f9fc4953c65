"""Figures that obey every law and still are odd: said on screen, in the summary, in the report."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tlm.cli import main
from tlm.config import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.noc.load import Stretch
from tlm.running.figures.network import network_warnings
from tlm.running.figures.sanity import sanity_warnings
from tlm.running.runner import run_job
from tlm.trace.summary import EnergyPart, EngineTime

BUSY = {name: EngineTime({"compute": 0.5}, 0.6, 20) for name in ("fp", "bp", "wg")}
MS = 10**9  # ps


def warnings(
    *overrides: str,
    watts: float = 10.0,
    dram_watts: float = 0.0,
    engines: dict[str, EngineTime] = BUSY,
) -> list[str]:
    """What is odd of a chip that ran for a millisecond at these powers."""
    chip = load_chip("neuromc-20", overrides)
    timing = load_dram_timing(chip.config.dram.device)
    components = {"fp": watts * MS, "dram": dram_watts * MS}
    total = (watts + dram_watts) * MS
    energy = EnergyPart(total, total, 0.0, components, {}, {}, {"dram_channel": 0.0}, 0.0)
    return sanity_warnings(chip, timing, MS, energy, engines)


def test_an_ordinary_chip_is_not_odd() -> None:
    """The preset at ten watts passes every threshold."""
    assert warnings() == []


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (("noc.link=1 GB",), "noc.link: 8,000,000,000 bit; wider than 2048 bit is hard to wire"),
        (("core.clock=250 MHz",), "peak of arithmetic: 7.68 TFLOP/s, less than the 15.4 TFLOP/s"),
        (("cores=10",), "peak of arithmetic: 7.68 TFLOP/s, less than the 15.4 TFLOP/s of its pre"),
        (("dram.channels=2",), "peak of DRAM: 25.6 GB/s, less than the 51.2 GB/s of its preset n"),
        (("core.memory.optimizer=1 Gib",), "area: "),
    ],
)
def test_an_odd_chip_is_told(overrides: tuple[str, ...], text: str) -> None:
    """Each threshold names the key or figure, its value and the threshold."""
    assert any(line.startswith(text) for line in warnings(*overrides)), warnings(*overrides)


def test_power_counts_with_dram_and_its_density_without() -> None:
    """A kilowatt of DRAM heats no chip; a kilowatt of chip does."""
    assert [line.split(":")[0] for line in warnings(dram_watts=2000)] == ["average power"]
    both = [line.split(":")[0] for line in warnings(watts=2000)]
    assert both == ["average power", "power density"]


def test_an_engine_that_hardly_computes_is_told() -> None:
    """Below one per cent, by name."""
    lazy = BUSY | {"bp": EngineTime({"compute": 0.0099}, 0.02, 20)}
    assert warnings(engines=lazy)[0].startswith("engine BP: computes 0.99% of the time")


def busy_links(*stretches: tuple[int, float], model: str = "packet") -> list[str]:
    """What is said of a run with these times and uses of its busiest link."""
    chip = SimpleNamespace(
        config=load_chip("neuromc-20", [f"noc.model={model}"]).config,
        link_load=SimpleNamespace(stretches=[Stretch(*stretch) for stretch in stretches]),
        env=SimpleNamespace(now=sum(time_ps for time_ps, _ in stretches)),
    )
    return network_warnings(chip)  # type: ignore[arg-type]


def test_links_busier_than_the_packet_model_is_right_for_are_told_with_its_error() -> None:
    """From half of the time on, for a tenth of the run; 36.7 % is measured at 0.7 and more."""
    assert busy_links((900, 0.49), (100, 0.49)) == busy_links((901, 0.2), (99, 1.5)) == []
    (line,) = busy_links((890, 0.2), (100, 0.8), (10, 0.69))
    assert "for 11% of the time some link is busy 50% or more, 79% on average" in line
    assert "by 8% (median) to 37% (90th percentile)" in line
    assert line.endswith("--set noc.model=router has finite buffers")
    (line,) = busy_links((10, 0.6))
    assert "by 7% (median) to 19% (90th percentile)" in line
    assert busy_links((10, 0.9), model="router") == []


@pytest.mark.parametrize(
    ("overrides", "odd"),
    [
        (("noc.link=16 bit",), True),
        (("noc.link=1024 bit",), False),
        (("noc.link=16 bit", "noc.model=router"), False),
    ],
)
def test_a_job_with_busy_links_is_told_and_others_are_not(
    overrides: tuple[str, ...], odd: bool, tmp_path: Path
) -> None:
    """Links of 16 bit are full in digits, those of 1024 bit are not; the router model is right."""
    summary = run_job("digits", overrides=overrides, out=tmp_path / "run", trace="off").summary
    assert [line.split(":")[0] for line in summary.warnings] == ["noc.model=packet"] * odd


def test_odd_figures_and_unsourced_values_stand_in_every_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """On screen beside OK, in the summary and in the report."""
    words = ["--set", "noc.link=4096 bit", "--set", "core.clock=250 MHz", "--out", f"{tmp_path}/r"]
    assert main(["run", "digits", *words]) == 0
    screen = " ".join(capsys.readouterr().out.split())
    assert "OK" in screen
    assert "odd: noc.link: 4,096 bit; wider than 2048 bit is hard to wire" in screen
    assert "assumed and 2 unsourced chip values" in screen
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert [line.split(":")[0] for line in summary["warnings"]] == [
        "noc.link",
        "peak of arithmetic",
    ]
    assert summary["chip"]["unsourced"] == ["core.clock", "noc.link"]
    assert main(["report", f"{tmp_path}/r"]) == 0
    page = (tmp_path / "r" / "report.html").read_text()
    assert "noc.link: 4,096 bit; wider than 2048 bit" in page
    assert page.count("unsourced: nobody says where it is from") == 2
