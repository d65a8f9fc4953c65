"""Energy of a DRAM channel from its command counts and the device's supply currents."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.tables.dram_energy import command_energy
from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.counters import DramCounters


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """Energy of a run of one channel in pJ, all devices together."""

    activate_pj: float
    read_pj: float
    write_pj: float
    refresh_pj: float
    background_pj: float

    @property
    def total_pj(self) -> float:
        """Commands and background."""
        return (
            self.activate_pj + self.read_pj + self.write_pj + self.refresh_pj + self.background_pj
        )


def channel_energy(
    timing: DramTiming, counters: DramCounters, time_ps: int
) -> ChannelEnergy | None:
    """Energy of ``time_ps`` with these counts; None for a device without currents.

    Standby is charged as with a bank open, but for the time of refreshes: an upper bound for a
    channel that idles between a refresh and its next request.
    """
    if timing.currents is None:
        return None
    each = command_energy(timing, timing.currents)
    closed_ps = min(time_ps, counters.refreshes * timing.trfc_clk * timing.tck_ps)
    return ChannelEnergy(
        activate_pj=counters.activates * each.activate_pj,
        read_pj=counters.reads * each.read_pj,
        write_pj=counters.writes * each.write_pj,
        refresh_pj=counters.refreshes * each.refresh_pj,
        background_pj=each.open_w * (time_ps - closed_ps) + each.closed_w * closed_ps,
    )
