"""The validation page: points, errors, and the text made of them."""

import json
import re
import shutil
from importlib import import_module

import pytest

from tlm.config.tables.dram_timing import dram_devices, load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.noc.packet_error import PACKET_ERRORS
from tlm.validation import dram, noc
from tlm.validation.closed_forms import closed_forms
from tlm.validation.devices import read_channels
from tlm.validation.dram_page import DramFindings
from tlm.validation.markdown import percent
from tlm.validation.page import Findings, page
from tlm.validation.reference import REFERENCE, Errors

ROOT = REFERENCE.parents[1]


def test_errors_are_absolute_and_sorted():
    """Median, 90th percentile and largest of a set of relative errors."""
    assert Errors.of([-0.3, 0.1, 0.2]) == Errors(3, 0.2, 0.3, 0.3)
    assert Errors.of([]) == Errors(0, 0.0, 0.0, 0.0)


def test_runs_warn_by_the_errors_of_the_page():
    """Every row of the packet model's errors by link, to the tenth of a per cent."""
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (\d+)% (?:to|or) .*?\| (\d+) \| (.*) \|$", text, re.MULTILINE)
    shown = [(int(vcs), int(use) / 100, int(n), errors) for vcs, use, n, errors in rows]
    assert shown == [
        (row.vcs, row.use, row.points, " | ".join(map(percent, row[3:]))) for row in PACKET_ERRORS
    ]


@pytest.mark.parametrize("device", dram_devices())
def test_closed_forms_hold_for_every_device(device):
    """Latencies to the picosecond, bounds of bandwidth within 3.5 %, with no simulator."""
    forms = [form for form in closed_forms() if form.device == device]
    assert len(forms) >= 6
    for form in forms:
        if form.unit == "ns":
            assert form.ours == pytest.approx(form.expected, abs=1e-6), form.what
        else:
            assert form.ours == pytest.approx(form.expected, rel=0.035), form.what


SHIPPED = {
    "ddr4_2400_cobg": "DDR4-2400",
    "ddr4_3200_cobg": "DDR4-3200",
    "hbm2_1ch": "HBM2-2000",
    "lpddr4_2400_x32": "LPDDR4-2400",
    "lpddr4_3200_x16": "LPDDR4-3200",
    "lpddr5_6400_x16": "LPDDR5-6400",
}


@pytest.mark.parametrize("config", SHIPPED)
def test_shipped_devices_are_those_of_the_reference(config):
    """Every timing that the simulators were given is that of the device file we ship."""
    theirs = read_channels(REFERENCE / "dram")[config].timing.model_dump()
    ours = load_dram_timing(SHIPPED[config]).model_dump()
    aside = {"name", "source", "bus_bits"} if config == "lpddr4_3200_x16" else {"name", "source"}
    assert {key for key in ours if ours[key] != theirs[key]} <= aside | {"currents", "energy"}
    assert theirs["currents"] in (None, ours["currents"])


def copied(folder, name, change):
    """The DRAM reference with a file changed."""
    shutil.copytree(REFERENCE / "dram", folder / "dram")
    path = folder / "dram" / name
    path.write_text(change(path.read_text()))
    return folder


def test_another_configuration_is_measured_with_its_own_device(tmp_path):
    """A renamed device with a slower clock: every figure follows, nothing is looked up by name."""
    folder = copied(tmp_path, "results.csv", lambda text: text.replace("hbm2_1ch", "mine"))
    configs = folder / "dram" / "configs.json"
    read = json.loads(configs.read_text())
    read["dramsim3/mine"] = read.pop("dramsim3/hbm2_1ch")
    read["dramsim3/mine"]["timing"]["tCK"] = 2.0
    configs.write_text(json.dumps(read))
    loads = {(t.config, t.trace, t.mode): t for t in dram.tasks(folder)[0]}
    mine = dram.measure(loads["mine", "seq_rd", "win:1"], quick=True)
    theirs = loads["mine", "seq_rd", "win:1"].simulators["dramsim3"]
    assert mine.ours.latency == pytest.approx(2 * theirs.latency, rel=0.03)
    assert loads["mine", "seq_rd", "win:1"].channel.policy.response_clk == 1


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "results.csv",
            lambda t: t.replace("hbm2_1ch", "new"),
            "configuration 'new' is in neither",
        ),
        ("results.csv", lambda t: t.replace("seq_rd", "zigzag", 1), "line 2: no pattern 'zigzag'"),
        ("results.csv", lambda t: t.replace(",sat,", ",often,", 1), "DRAM load 'often'"),
        ("dramsys.csv", lambda t: t.replace("mode", "load", 1), "line 2: no column mode"),
        ("configs.json", lambda t: t[:-9], "configs.json: cannot be read"),
        ("configs.json", lambda t: t.replace('"tFAW"', '"tX"', 1), "KeyError: 'tFAW'"),
    ],
)
def test_a_wrong_reference_is_refused_at_the_start(tmp_path, name, change, said):
    """One line with file, and line or configuration, before anything is measured."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        dram.tasks(copied(tmp_path, name, change))


def test_errors_by_simulator_tell_the_policies_apart():
    """Two rows of one bank by turns: ready precharges come within 1 %, kept rows 9 % off."""
    loads = dram.tasks(REFERENCE)[0]
    chosen = [t for t in loads if t.trace == "conf_2rows" and t.mode == "sat"]
    points = [dram.measure(t, False) for t in chosen if t.config == "ddr4_2400_cobg"]
    errors = {(e.simulator, e.policy): e.bandwidth[0] for e in dram.errors_by_simulator(points)}
    for simulator in ("dramsim3", "ramulator2.1"):
        assert abs(errors[simulator, "ready-first"]) < 0.01
        assert errors[simulator, "hits-first"] == pytest.approx(-0.09, abs=0.01)


def test_a_page_of_a_few_points(tmp_path):
    """Some curves and bands make a page and figures, with nothing outside below 80 % load."""
    tasks = [
        task
        for task in noc.tasks(REFERENCE, quick=True)
        if task.key == ("rc4", 4, 5, 2, "uniform") and task.rate in (0.1, 0.2, 0.3, 1.0)
    ]
    curves = noc.collect(REFERENCE, [noc.measure(task) for task in tasks])
    loads, left_out = dram.tasks(REFERENCE)
    chosen = [task for task in loads if task.trace == "seq_rd"][::16]
    bands = [dram.measure(task, quick=True) for task in chosen]
    findings = Findings([(4, 5, 768, 0)], [], curves, DramFindings([], bands, left_out))
    figures = import_module("tlm.cli.validate")._draw(findings, tmp_path / "figures")
    assert all((tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000 for name in figures)
    text = page(findings, figures)
    assert "| rc4 4x4 uniform L=5 V=2 | 0.6525 |" in text
    assert "![noc-latency](figures/noc-latency.png)" in text
    assert "up to 80 %\n\nNone." in text
    assert text.count("ddr4_2400_bgco") >= 1
    assert "not compared: `hbm2_2pc`" in text


def test_quick_points_of_the_packet_model_have_no_saturation():
    """A task past the reference's saturation is run for its accepted rate, by the router only."""
    past = [task for task in noc.tasks(REFERENCE, quick=True) if task.reference is None]
    assert past and {task.model for task in past} == {"router"}
