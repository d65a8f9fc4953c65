"""The energy of each DRAM command, from the device's supply currents."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.dram_currents import DramCurrents
from tlm.config.tables.dram_timing import DramTiming


@dataclass(frozen=True, slots=True)
class CommandEnergy:
    """Energy of commands in pJ, all devices of a channel; background power in W."""

    activate_pj: float  # with its precharge
    read_pj: float
    write_pj: float
    refresh_pj: float
    open_w: float
    closed_w: float


def command_energy(timing: DramTiming, currents: DramCurrents) -> CommandEnergy:
    """What each command adds to the background power.

    A command costs its current above standby, times the supply, times the time over which the
    data sheet measures it. Formulas: Micron TN-40-07 (2017), in the form that DRAMsim3 logs them
    (src/configuration.cc).
    """
    t, c = timing, currents
    watt_per_ma = c.devices * c.vdd_mv * 1e-6
    ras, rp = t.tras_clk * t.tck_ps, t.trp_clk * t.tck_ps
    burst = t.burst_clk * t.tck_ps
    activate = c.idd0_ma * (ras + rp) - c.idd3n_ma * ras - c.idd2n_ma * rp
    return CommandEnergy(
        activate_pj=watt_per_ma * activate,
        read_pj=watt_per_ma * (c.idd4r_ma - c.idd3n_ma) * burst,
        write_pj=watt_per_ma * (c.idd4w_ma - c.idd3n_ma) * burst,
        refresh_pj=watt_per_ma * (c.idd5ab_ma - c.idd3n_ma) * t.trfc_clk * t.tck_ps,
        open_w=watt_per_ma * c.idd3n_ma,
        closed_w=watt_per_ma * c.idd2n_ma,
    )
