"""The controller against trusted cycle-accurate simulators (traces/reference/dram)."""

import csv
from pathlib import Path

import pytest

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy

BANDS = Path(__file__).parents[3] / "traces" / "reference" / "dram" / "bands.csv"
DDR4 = load_dram_timing("DDR4-2400")
MAPS = {  # config: address map, page step in bytes
    "ddr4_2400_bgco": ("row bank bankgroup column", 8192),
    "ddr4_2400_cobg": ("row bank column bankgroup", 32768),
}
with BANDS.open(newline="") as table:
    POINTS = list(csv.DictReader(table))


def name_of(point):
    """Config, trace and mode of a point."""
    return f"{point['config']}-{point['trace']}-{point['mode']}"


def measure(kernel, point, n):
    """Run the model at a point of the table."""
    order, page = MAPS[point["config"]]
    offered = requests(point["trace"], n, PatternGeometry(page=page))
    policy = DramPolicy(address_map=order)
    return drive(DDR4, offered, DramLoad.parse(point["mode"]), policy, replay=kernel.replay)


def within(value, low, high, tolerance):
    """True if a value lies in a band widened by a relative tolerance."""
    return float(low) * (1 - tolerance) <= value <= float(high) * (1 + tolerance)


def saturated(point):
    """True where the source offers more than the memory takes: latency is queue depth there."""
    mode = point["mode"]
    if mode.startswith("int:"):
        offered_gb_s = 64_000 / (float(mode[4:]) * DDR4.tck_ps)
        return float(point["bw_max_GBps"]) < 0.97 * offered_gb_s
    return mode in ("sat", "win:64")


def in_band(point, measured):
    """Bandwidth within 5 % of the band; latency within 10 %, or 5 % where no policy matters."""
    if not within(measured.steady_gb_s, point["bw_min_GBps"], point["bw_max_GBps"], 0.05):
        return False
    if saturated(point) or not point["rd_lat_min_ns"]:
        return True
    tolerance = 0.05 if point["policy_free"] == "1" else 0.10
    low, high = point["rd_lat_min_ns"], point["rd_lat_max_ns"]
    return within(measured.read_latency_ns, low, high, tolerance)


FEW = [
    point
    for point in POINTS
    if point["policy_free"] == "1"
    or (point["trace"] in ("rand_rd", "mix21_seq") and point["mode"] in ("int:12", "int:32"))
]


@pytest.mark.parametrize("point", FEW, ids=name_of)
def test_point_lies_between_the_simulators(kernel, point):
    """Reads in a closed loop, and open loops below saturation, with 3000 requests a point."""
    assert in_band(point, measure(kernel, point, 3000))


@pytest.mark.slow
def test_whole_table_lies_between_the_simulators(kernel):
    """At least 97 % of all points, with as many requests as the simulators were given."""
    outside = []
    for point in POINTS:
        mode = point["mode"]
        n = 5000 if mode.startswith("int:") and float(mode[4:]) > 32 else 20000
        if not in_band(point, measure(kernel, point, n)):
            outside.append(name_of(point))
    assert len(outside) <= 0.03 * len(POINTS), outside


def test_activates_match_the_simulators(kernel):
    """Random reads open a row each; streams one per 128 bursts and bank, refresh included."""
    random = measure(kernel, {"config": "ddr4_2400_cobg", "trace": "rand_rd", "mode": "sat"}, 5000)
    stream = measure(
        kernel, {"config": "ddr4_2400_cobg", "trace": "seq_rd", "mode": "win:16"}, 20000
    )
    assert random.counters.activates == pytest.approx(5000, rel=0.01)
    assert stream.counters.activates == pytest.approx(194, rel=0.05)  # simulators: 192 and 196
