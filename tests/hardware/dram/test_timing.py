"""Device files: the figures they hold, and how a wrong one is refused."""

from dataclasses import fields

import pytest

from tlm.config.tables.dram_timing import (
    DramTiming,
    dram_devices,
    load_dram_timing,
    read_dram_timing,
    timing_from_mapping,
)
from tlm.errors import ConfigError


def as_mapping(name: str) -> dict[str, object]:
    """The keys of a shipped device, as its file would hold them."""
    timing = load_dram_timing(name)
    data = {f.name: getattr(timing, f.name) for f in fields(DramTiming)}
    del data["name"], data["currents"]  # not keys of this form
    data["tck"] = f"{data.pop('tck_ps')} ps"
    return data


@pytest.mark.parametrize(
    ("name", "burst_bytes", "page_bytes", "peak_gb_s"),
    [
        ("DDR4-2400", 64, 8192, 19.2077),
        ("DDR4-3200", 64, 8192, 25.6),
        ("HBM2-2000", 64, 2048, 32.0),
        ("LPDDR4-2400", 64, 4096, 9.6038),
        ("LPDDR4-3200", 64, 4096, 12.8),
        ("LPDDR5-6400", 32, 2048, 12.8),
    ],
)
def test_device_geometry(name, burst_bytes, page_bytes, peak_gb_s):
    """Access size, page and peak bandwidth are those of the data sheets."""
    timing = load_dram_timing(name)
    assert (timing.burst_bytes, timing.page_bytes) == (burst_bytes, page_bytes)
    assert timing.peak_bytes_per_ps * 1000 == pytest.approx(peak_gb_s, abs=1e-4)


def test_every_device_loads_and_names_its_source():
    """Each file that ships is valid, in any case of its name."""
    assert "LPDDR4-3200" in dram_devices()
    for name in dram_devices():
        assert load_dram_timing(name.lower()).name == name
        assert len(load_dram_timing(name).source) > 10


def test_unknown_device_suggests_a_near_one():
    """A misspelt device is answered with the list and the nearest name."""
    with pytest.raises(ConfigError, match=r"no device 'LPDDR4-3201'.*did you mean LPDDR4-3200"):
        load_dram_timing("LPDDR4-3201")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"treffi_clk": 3}, r"X\.treffi_clk: unknown key; did you mean trefi_clk"),
        ({"tck": 625}, r"X\.tck: 625 is not a time with its unit, e\.g\. 625 ps"),
        ({"tck": "0.3 ps"}, r"X\.tck: '0\.3 ps' is not a whole number of ps"),
        ({"trcd_clk": "29 ns"}, r"X\.trcd_clk: '29 ns' is not a clock count"),
        ({"rows": True}, r"X\.rows: True is not a whole number"),
        ({"banks_per_group": 3}, r"X\.banks_per_group: 3 is not a power of two"),
        ({"tras_clk": 999}, r"X\.tras_clk: 999 is more than trc_clk"),
        ({"cl_clk": 0}, r"X\.cl_clk: must be at least 1 clock"),
        ({"source": ""}, r"X\.source: '' is not a text"),
    ],
)
def test_wrong_value_is_named(change, text):
    """A wrong key or value is refused in one line that names it."""
    with pytest.raises(ConfigError, match=text):
        timing_from_mapping("X", as_mapping("DDR4-2400") | change)


def test_missing_key_is_named():
    """A file that lacks a parameter is refused."""
    data = as_mapping("DDR4-2400")
    del data["tfaw_clk"]
    with pytest.raises(ConfigError, match="X: missing tfaw_clk"):
        timing_from_mapping("X", data)


@pytest.mark.parametrize("text", ["tck: 1 ns\ntck: 2 ns\n", "- 1\n", "a: [1\n"])
def test_unreadable_file_is_one_line(tmp_path, text):
    """Duplicate keys, lists and broken YAML give one line that names the file."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"^bad\.yaml[:\d]*: [^\n]+$"):
        read_dram_timing(path)
