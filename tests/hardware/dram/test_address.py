"""Address maps of a DRAM channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.dram.address import AddressMap

DDR4 = load_dram_timing("DDR4-2400")
MAPS = ("row bank column bankgroup", "row bank bankgroup column", "bankgroup row column bank")


def test_bank_group_interleave():
    """With the bank group lowest, consecutive 64 B go to different groups of one row number."""
    decode = AddressMap(DDR4, "row bank column bankgroup").bank_and_row
    assert [decode(i * 64) for i in range(5)] == [(0, 0), (4, 0), (8, 0), (12, 0), (0, 0)]
    assert decode(32768) == (1, 0)
    assert decode(131072) == (0, 1)


def test_column_lowest_keeps_a_page_together():
    """With the column lowest, 8 KiB stay in one bank and the next 8 KiB change the group."""
    decode = AddressMap(DDR4, "row bank bankgroup column").bank_and_row
    assert decode(8191) == (0, 0)
    assert decode(8192) == (4, 0)


@given(st.sampled_from(MAPS), st.integers(0, 1 << 30), st.integers(1, 64))
def test_runs_cover_every_burst_once(order, address, bursts):
    """Runs are the bursts one by one, joined only where bank and row agree."""
    amap = AddressMap(DDR4, order)
    first = address >> amap.burst_shift
    single = [amap.bank_and_row((first + i) << amap.burst_shift) for i in range(bursts)]
    spread = [run[:2] for run in amap.runs(address, bursts) for _ in range(run[2])]
    assert spread == single


@given(st.sampled_from(MAPS), st.integers(0, 63))
def test_same_bank_step(order, row):
    """``same_bank_bytes`` leads from one row of a bank to the next."""
    amap = AddressMap(DDR4, order)
    assert amap.bank_and_row(row * amap.same_bank_bytes) == (0, row)


def test_bank_group_may_be_left_out():
    """A device with one bank group needs no such field."""
    lpddr4 = load_dram_timing("LPDDR4-3200")
    assert AddressMap(lpddr4).bank_and_row(4096) == (1, 0)
    assert AddressMap(lpddr4).runs(4096 - 128, 4) == [(0, 0, 2), (1, 0, 2)]


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("row bank column rank", "unknown field 'rank'"),
        ("row bank column", r"'bankgroup' \(4 values\) is missing"),
        ("row bank column bankgroup row", "'row' is named twice"),
    ],
)
def test_wrong_map_is_refused(order, text):
    """A map has to name each field once."""
    with pytest.raises(ConfigError, match=text):
        AddressMap(DDR4, order)
