"""DRAM energy from supply currents, and the devices that ship."""

import pytest

from tlm.config import load_chip
from tlm.config.tables.dram_energy import command_energy
from tlm.config.tables.dram_timing import DEVICE_FOLDER, dram_devices, load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.energy import channel_energy
from tlm.hardware.dram.patterns import PatternGeometry, read_requests, requests
from tlm.hardware.dram.policy import DramPolicy


@pytest.mark.parametrize(
    ("device", "expected_pj"),
    [
        ("DDR4-2400", (3462.6, 2942.8, 2559.0, 695.2e3)),
        ("HBM2-2000", (828, 804, 1068, 60.84e3)),
    ],
)
def test_energy_of_a_command(device, expected_pj):
    """Activate, read, write and refresh of two devices, as their published currents give."""
    timing = load_dram_timing(device)
    each = command_energy(timing, timing.currents)
    energies = (each.activate_pj, each.read_pj, each.write_pj, each.refresh_pj)
    assert energies == pytest.approx(expected_pj, rel=1e-4)


@pytest.mark.parametrize(
    ("pattern", "map_", "page", "logged_uj"),
    [  # DRAMsim3, DDR4-2400, 20 000 requests, saturating: total energy in uJ
        ("rand_rd", "row bank column bankgroup", 32768, 184.8),
        ("seq_rd", "row bank bankgroup column", 8192, 101.1),
    ],
)
def test_energy_of_a_run(pattern, map_, page, logged_uj):
    """Total energy within 5 % of what DRAMsim3 logs for the same requests."""
    timing = load_dram_timing("DDR4-2400")
    policy = DramPolicy(address_map=map_)
    offered = requests(pattern, 20000, PatternGeometry(page=page))
    measured = drive(timing, offered, DramLoad(), policy)
    energy = channel_energy(timing, measured.counters, measured.time_ps)
    assert energy.total_pj / 1e6 == pytest.approx(logged_uj, rel=0.05)


def chip_with(name: str) -> list[str]:
    """The overrides that give a chip a DRAM device."""
    return [f"dram.device={name}", f"dram.bus={load_dram_timing(name).bus_bits} bit"]


@pytest.mark.parametrize("name", dram_devices())
def test_energy_follows_the_device(name):
    """A device that the table does not mean has the price of its own file, with its source."""
    timing = load_dram_timing(name)
    for energy in ("auto", "device"):
        table = load_chip("neuromc-20", [*chip_with(name), f"dram.energy={energy}"]).energy
        entry = table.actions["dram", "read_bit"]
        meant = energy == "auto" and name == "LPDDR4-3200"
        assert entry.energy_pj == (1300 / 64 if meant else timing.energy.read_bit)
        assert ("SJ: dram" in entry.source) == meant
    table = load_chip("neuromc-20", [*chip_with(name), "dram.energy=table"]).energy
    assert table.pj("dram", "write_bit") == 1300 / 64
    confidence = "published" if name == "LPDDR4-3200" else "assumed"
    assert table.actions["dram", "write_bit"].confidence == confidence


def test_a_price_by_the_bit_is_that_of_the_currents():
    """LPDDR4-3200: read and write bursts above standby, per bit, rounded to 0.1 pJ."""
    timing = load_dram_timing("LPDDR4-3200")
    each, bits = command_energy(timing, timing.currents), timing.burst_bytes * 8
    assert timing.energy.read_bit == pytest.approx(each.read_pj / bits, abs=0.06)
    assert timing.energy.write_bit == pytest.approx(each.write_pj / bits, abs=0.06)


def test_a_device_without_a_price_keeps_the_table_s_as_assumed(tmp_path):
    """A timing file of one's own that states no energy."""
    text = (DEVICE_FOLDER / "HBM2E-3200.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.partition("energy:")[0], encoding="utf-8")
    overrides = [f"dram.device={path}", "dram.bus=64 bit"]
    entry = load_chip("neuromc-20", overrides).energy.actions["dram", "read_bit"]
    assert (entry.energy_pj, entry.confidence) == (1300 / 64, "assumed")
    assert "no price of mine" in entry.source
    with pytest.raises(ConfigError, match="the file of mine states no energy"):
        load_chip("neuromc-20", [*overrides, "dram.energy=device"])


def test_no_currents_no_energy():
    """A device whose currents nobody publishes gives none, and a chip that asks is refused."""
    timing = load_dram_timing("LPDDR5-6400")
    measured = drive(timing, requests("seq_rd", 50, PatternGeometry()), DramLoad())
    assert channel_energy(timing, measured.counters, measured.time_ps) is None
    with pytest.raises(ConfigError, match="no supply currents are known of LPDDR5-6400"):
        load_chip("neuromc-20", [*chip_with("LPDDR5-6400"), "dram.energy=currents"])


def test_every_device_serves_streams_near_its_peak():
    """Each device file is a working channel: streams reach the data bus less refresh and groups."""
    for name in dram_devices():
        timing = load_dram_timing(name)
        stream = PatternGeometry(line=timing.burst_bytes)
        measured = drive(timing, requests("seq_rd", 6000, stream), DramLoad())
        gap = timing.tccd_l_clk if timing.address_map.endswith("column") else timing.tccd_s_clk
        bound = timing.burst_bytes * 1000 / (max(gap, timing.burst_clk) * timing.tck_ps)
        share = measured.steady_gb_s / bound
        assert 0.85 < share <= 1.01 * max(1, timing.tccd_l_clk / timing.tccd_s_clk), name


def test_requests_from_a_file(tmp_path):
    """R or W and an address in any base; anything else names its line."""
    path = tmp_path / "requests.txt"
    path.write_text("# two\nR 0x40\n\nw 128  # posted\n")
    assert read_requests(path, 64).requests == [(0, 64), (1, 128)]
    path.write_text("R 0x40\nload 5\n")
    with pytest.raises(ConfigError, match='line 2: expected "R ADDRESS"'):
        read_requests(path, 64)
