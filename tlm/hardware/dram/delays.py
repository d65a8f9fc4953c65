"""Minimum delays between DRAM commands in ps, combined from the device's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.policy import DramPolicy


@dataclass(frozen=True, slots=True)
class DramDelays:
    """Command-to-command delays in ps; pairs are indexed by command (0 read, 1 write).

    Formulas: JESD79-4 (DDR4), JESD209-4 (LPDDR4); ``_group`` is within one bank group. All are
    from the first clock of a command to the first clock of the next; the data sheet's count from
    the last clock of a command (LPDDR4: ACT and RD take four, PRE and REF two), so that a command
    longer than the one before shortens the gap between the two, and the other way round.
    """

    burst: int
    activate_clocks: int  # how long ACT, RD or WR, and PRE or REF occupy the command bus
    column_clocks: int
    precharge_clocks: int
    activate_lead: int  # the data sheet's clock comes so much later in an ACT than in a REF
    strobe_start: int  # added to a column command when the data strobe has stopped (LPDDR5)
    strobe_held: tuple[int, int]  # column command to the end of its data, and of the strobe
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
        column = max(t.tccd_s_clk, t.burst_clk, t.column_clk)
        from_column = t.column_clk - t.precharge_clk  # to a precharge
        edge = (t.activate_edge_clk or t.activate_clk) - t.precharge_clk
        return cls(
            burst=t.burst_clk * clock,
            activate_clocks=t.activate_clk * clock,
            column_clocks=t.column_clk * clock,
            precharge_clocks=t.precharge_clk * clock,
            activate_lead=edge * clock,
            strobe_start=t.strobe_start_clk * clock,
            strobe_held=((t.cl_clk + t.burst_clk) * clock, (t.cwl_clk + t.burst_clk) * clock),
            row_to_column=(t.trcd_clk + t.activate_clk - t.column_clk) * clock,
            row_to_precharge=(t.tras_clk + edge) * clock,
            row_cycle=t.trc_clk * clock,
            row_to_row=t.trrd_s_clk * clock,
            row_to_row_group=t.trrd_l_clk * clock,
            four_rows=t.tfaw_clk * clock,
            precharge=(t.trp_clk - edge) * clock,
            precharge_all=t.trp_all_clk * clock,
            refresh=(t.trfc_clk - edge) * clock,
            refresh_interval=t.trefi_clk * clock,
            column=column * clock,
            column_group=max(column, t.tccd_l_clk) * clock,
            turn=(t.trtw_clk * clock, (write_end + t.twtr_s_clk) * clock),
            turn_group=(t.trtw_clk * clock, (write_end + t.twtr_l_clk) * clock),
            column_to_precharge=(
                (t.trtp_clk + from_column) * clock,
                (write_end + t.twr_clk + from_column) * clock,
            ),
            answer=((read_end + t.column_clk - 1) * clock, 0),
        )
