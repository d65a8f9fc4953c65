"""Minimum delays between DRAM commands in ps, combined from the device's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.policy import DramPolicy


@dataclass(frozen=True, slots=True)
class DramDelays:
    """Command-to-command delays in ps; pairs are indexed by command (0 read, 1 write).

    Formulas: JESD79-4 (DDR4), JESD209-4 (LPDDR4); ``_group`` is within one bank group.
    """

    clock: int
    burst: int
    row_to_column: int
    row_to_precharge: int
    row_cycle: int
    row_to_row: int
    row_to_row_group: int
    four_rows: int
    precharge: int
    precharge_all: int
    refresh: int
    refresh_interval: int
    column: int  # RD to RD, WR to WR
    column_group: int
    turn: tuple[int, int]  # RD to WR, WR to RD
    turn_group: tuple[int, int]
    column_to_precharge: tuple[int, int]
    answer: tuple[int, int]  # last column command to answer

    @classmethod
    def of(cls, timing: DramTiming, policy: DramPolicy) -> DramDelays:
        """The delays of a device under a controller."""
        t, clock = timing, timing.tck_ps
        write_end = t.cwl_clk + t.wr_extra_clk + t.burst_clk
        read_end = t.cl_clk + t.dqsck_clk + t.burst_clk + policy.response_clk
        column = max(t.tccd_s_clk, t.burst_clk)
        return cls(
            clock=clock,
            burst=t.burst_clk * clock,
            row_to_column=t.trcd_clk * clock,
            row_to_precharge=t.tras_clk * clock,
            row_cycle=t.trc_clk * clock,
            row_to_row=t.trrd_s_clk * clock,
            row_to_row_group=t.trrd_l_clk * clock,
            four_rows=t.tfaw_clk * clock,
            precharge=t.trp_clk * clock,
            precharge_all=t.trp_all_clk * clock,
            refresh=t.trfc_clk * clock,
            refresh_interval=t.trefi_clk * clock,
            column=column * clock,
            column_group=max(column, t.tccd_l_clk) * clock,
            turn=(t.trtw_clk * clock, (write_end + t.twtr_s_clk) * clock),
            turn_group=(t.trtw_clk * clock, (write_end + t.twtr_l_clk) * clock),
            column_to_precharge=(t.trtp_clk * clock, (write_end + t.twr_clk) * clock),
            answer=(read_end * clock, 0),
        )
