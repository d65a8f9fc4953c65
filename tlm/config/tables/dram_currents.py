"""Supply currents of a DRAM device, and the energy they give each command."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tlm.errors import ConfigError

if TYPE_CHECKING:
    from tlm.config.tables.dram_timing import DramTiming


@dataclass(frozen=True, slots=True)
class DramCurrents:
    """Data-sheet currents in mA of one device, its supply in mV, and devices of the channel.

    Names are JEDEC's: IDD0 one bank activated and precharged every tRC, IDD2N and IDD3N standby
    with all banks closed and with one open, IDD4R and IDD4W bursts without a gap, IDD5AB all-bank
    refresh every tRFC.
    """

    devices: int
    vdd_mv: int
    idd0_ma: int
    idd2n_ma: int
    idd3n_ma: int
    idd4r_ma: int
    idd4w_ma: int
    idd5ab_ma: int


@dataclass(frozen=True, slots=True)
class CommandEnergy:
    """Energy of commands in pJ, all devices of a channel; background power in W."""

    activate_pj: float  # with its precharge
    read_pj: float
    write_pj: float
    refresh_pj: float
    open_w: float
    closed_w: float


def currents_from(where: str, data: Any) -> DramCurrents:
    """The block ``currents`` of a device file.

    Raises:
        ConfigError: an unknown or missing key, or a value that is no positive whole number.
    """
    names = [field.name for field in fields(DramCurrents)]
    if not isinstance(data, dict):
        raise ConfigError(f"{where}.currents: expected {', '.join(names)}")
    for key in [*data, *names]:
        if key not in names:
            raise ConfigError(f"{where}.currents.{key}: unknown key; allowed: {', '.join(names)}")
        if key not in data:
            raise ConfigError(f"{where}.currents: missing {key}")
        if type(data[key]) is not int or data[key] < 1:
            unit = {"a": "mA", "v": "mV"}.get(key[-1], "devices")
            raise ConfigError(f"{where}.currents.{key}: {data[key]!r} is not a number of {unit}")
    return DramCurrents(**data)


def command_energy(timing: DramTiming, currents: DramCurrents) -> CommandEnergy:
    """What each command adds to the background, from supply currents.

    Formulas: Micron TN-40-07 (2017) in the form DRAMsim3 logs (src/configuration.cc); a current
    above standby, times supply, times the time the data sheet measures it over.
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
