"""Device files: the figures they hold, and how a wrong one is refused."""

import pytest

from tlm.config.tables.dram_timing import (
    dram_devices,
    load_dram_timing,
    read_dram_timing,
    timing_from_mapping,
)
from tlm.errors import ConfigError


def as_mapping(name: str) -> dict[str, object]:
    """The keys of a shipped device, as its file would hold them."""
    data = load_dram_timing(name).model_dump(by_alias=True, exclude={"name"}, exclude_none=True)
    return data | {"tck": f"{data['tck']} ps"}


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


def test_a_family_with_one_device_needs_no_speed_grade():
    """HBM2 means HBM2-2000; DDR4 could mean two."""
    assert load_dram_timing("hbm2").name == "HBM2-2000"
    with pytest.raises(ConfigError, match="no device 'DDR4'"):
        load_dram_timing("DDR4")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"treffi_clk": 3}, 'treffi_clk: unknown key; did you mean "trefi_clk"?'),
        ({"name": "Y"}, "name: unknown key; a device is called as its file"),
        ({"tck": 625}, 'tck: expected a time with its unit (such as "60 ns"), got 625'),
        ({"tck": "0.3 ps"}, 'tck: expected a whole number of ps, got "0.3 ps"'),
        ({"tck": "0 ps"}, 'tck: expected at least 1 ps, got "0 ps"'),
        ({"trcd_clk": "29 ns"}, "trcd_clk: expected a whole number, got '29 ns'"),
        ({"trcd_clk": 2**40}, "trcd_clk: expected 1000000 or less, got 1099511627776"),
        ({"rows": True}, "rows: expected a whole number, got true"),
        ({"banks_per_group": 3}, "banks_per_group: expected a power of two, got 3"),
        ({"tras_clk": 999}, "tras_clk: 999 is more than trc_clk = "),
        ({"cl_clk": 0}, "cl_clk: expected 1 or more, got 0"),
        ({"source": ""}, "source: expected a text, got ''"),
        ({"currents": 5}, "currents: expected a group of keys, got 5"),
        ({"tck": "2 us"}, 'tck: expected at most 1 us, got "2 us"'),
        ({"tck": "-1 ns"}, 'tck: expected a time of zero or more, got "-1 ns"'),
        ({"cwl_clk": -1}, "cwl_clk: expected 0 or more, got -1"),
        ({"rows": 1}, "rows: expected 2 or more, got 1"),
        ({"rows": 2**40}, "rows: expected 16777216 or less, got 1099511627776"),
        ({"bus_bits": 8192}, "bus_bits: expected 4096 or less, got 8192"),
        ({"banks_per_group": 128}, "banks_per_group: expected 64 or less, got 128"),
        ({"tccd_s_clk": 0}, "tccd_s_clk: expected 1 or more, got 0"),
        ({"burst_clk": 1}, "tccd_s_clk: 4 is more than burst_clk = 1"),
        ({"burst_clk": 5}, "burst_clk: a bus moves 1, 2, 4 or 8 beats in a clock, so burst_length"),
        ({"bus_bits": 1, "burst_length": 4, "burst_clk": 4}, "burst_length: 4 beats of 1 bit are"),
        (
            {"rows": 2**24, "columns": 2**24},
            "rows: a channel holds at most 2^48 bytes, these rows, columns and banks are 2^55",
        ),
        ({"trefi_clk": 420}, "trefi_clk: 420 leaves no time between refreshes: expected more than"),
        ({"trefi_clk": 437}, "trefi_clk: 437 leaves no time between refreshes: expected more than"),
        ({"address_map": "row bank column"}, "address_map: 'row bank column': 'bankgroup' (4 "),
        (
            {"address_map": "row rank column"},
            "address_map: 'row rank column': unknown field 'rank'",
        ),
    ],
)
def test_wrong_value_is_named(change, text):
    """A wrong key or value is refused in one line that names it."""
    assert refusal(as_mapping("DDR4-2400") | change).startswith(f"X: {text}")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"idd0_ma": 0}, "idd0_ma: expected 1 or more, got 0"),
        ({"idd9_ma": 1}, 'idd9_ma: unknown key; did you mean "currents.idd0_ma"?'),
        ({"idd0_ma": 42}, "idd0_ma: expected idd3n_ma = 43 or more, got 42: its energy would be"),
        ({"idd2n_ma": 44}, "idd3n_ma: expected idd2n_ma = 44 or more, got 43"),
        ({"idd4r_ma": 42}, "idd4r_ma: expected idd3n_ma = 43 or more, got 42"),
        ({"idd4w_ma": 42}, "idd4w_ma: expected idd3n_ma = 43 or more, got 42"),
        ({"idd5ab_ma": 42}, "idd5ab_ma: expected idd3n_ma = 43 or more, got 42"),
        ({"vdd_mv": 10**9}, "vdd_mv: expected 100000 or less, got 1000000000"),
    ],
)
def test_wrong_currents_are_refused(change, text):
    """A block of currents names each problem."""
    data = as_mapping("DDR4-2400")
    assert refusal(data | {"currents": data["currents"] | change}).startswith(f"X: currents.{text}")


def test_missing_key_is_named():
    """A file that lacks a parameter is refused."""
    data = as_mapping("DDR4-2400")
    del data["tfaw_clk"]
    assert refusal(data) == "X: tfaw_clk: missing; add it"


def refusal(data):
    """The line with which a device of these keys is refused."""
    with pytest.raises(ConfigError) as caught:
        timing_from_mapping("X", data, "X")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["tck: 1 ns\ntck: 2 ns\n", "- 1\n", "a: [1\n"])
def test_unreadable_file_is_one_line(tmp_path, text):
    """Duplicate keys, lists and broken YAML give one line that names the file."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml[:\d]*: [^\n]+$"):
        read_dram_timing(path)
