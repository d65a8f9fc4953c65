"""DRAM devices: geometry and timing of one channel, read from ``tlm/config/dram/NAME.yaml``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tlm.config.tables.dram_currents import DramCurrents, currents_from
from tlm.config.yaml_file import read_mapping
from tlm.errors import ConfigError

DEVICE_FOLDER = Path(__file__).parent.parent / "dram"
_NOT_KEYS = ("name", "tck_ps", "currents")  # fields that a file gives in other forms, or not
_LARGEST = 1 << 31  # of any whole number
_PS_PER_UNIT = {"ps": 1, "ns": 1000}
_POWERS_OF_TWO = (
    "bus_bits",
    "burst_length",
    "bank_groups",
    "banks_per_group",
    "rows",
    "columns",
)


@dataclass(frozen=True, slots=True)
class DramTiming:
    """Geometry and timing of one DRAM channel of one rank.

    Fields ending in ``_clk`` are JEDEC's parameters in clocks of ``tck_ps``; ``_s`` is to another
    bank group, ``_l`` within one. ``address_map`` names the fields above the burst offset from
    most to least significant. All-bank refresh.
    """

    name: str
    source: str
    address_map: str
    tck_ps: int
    bus_bits: int
    burst_length: int  # beats an access; burst_length * bus_bits / 8 bytes
    bank_groups: int
    banks_per_group: int
    rows: int
    columns: int  # of bus_bits each, so a row holds columns / burst_length bursts
    burst_clk: int  # data bus time of an access (BL / 2 for a double data rate bus)
    cl_clk: int  # RD to first data beat
    cwl_clk: int  # WR to first data beat
    dqsck_clk: int  # strobe delay added to reads (LPDDR), 0 where CL includes it
    trcd_clk: int
    trp_clk: int
    trp_all_clk: int  # precharge of all banks before a refresh
    tras_clk: int
    trc_clk: int
    tccd_s_clk: int
    tccd_l_clk: int
    trrd_s_clk: int
    trrd_l_clk: int
    tfaw_clk: int
    twtr_s_clk: int
    twtr_l_clk: int
    trtw_clk: int  # RD to WR command
    twr_clk: int
    trtp_clk: int
    wr_extra_clk: int  # write strobe delay between CWL and recovery (LPDDR), else 0
    trfc_clk: int
    trefi_clk: int
    currents: DramCurrents | None = None  # data-sheet currents, where a file gives them

    @property
    def burst_bytes(self) -> int:
        """Bytes moved by one RD or WR command."""
        return self.bus_bits * self.burst_length // 8

    @property
    def bursts_per_row(self) -> int:
        """Bursts in one open row."""
        return self.columns // self.burst_length

    @property
    def page_bytes(self) -> int:
        """Bytes of one open row across the channel."""
        return self.bursts_per_row * self.burst_bytes

    @property
    def banks(self) -> int:
        """Banks of the channel, over all bank groups."""
        return self.bank_groups * self.banks_per_group

    @property
    def capacity_bytes(self) -> int:
        """Bytes of the channel."""
        return self.banks * self.rows * self.page_bytes

    @property
    def peak_bytes_per_ps(self) -> float:
        """Data bus peak; x 1000 = GB/s (1e9 B)."""
        return self.burst_bytes / (self.burst_clk * self.tck_ps)


def dram_devices() -> list[str]:
    """Names of the devices that ship, sorted."""
    return sorted(path.stem for path in DEVICE_FOLDER.glob("*.yaml"))


def load_dram_timing(name: str) -> DramTiming:
    """Read the device ``name`` (any case) from ``tlm/config/dram``, or a file ``name.yaml``.

    Raises:
        ConfigError: no such device, an unknown, missing or duplicate key, or an impossible value.
    """
    if name.endswith((".yaml", ".yml")):
        return read_dram_timing(Path(name))
    known = dram_devices()
    found = _device_called(name.casefold(), known)
    if found is None:
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; or name a file .yaml"
        raise ConfigError(f"dram.device: no device {name!r}; there are {', '.join(known)}{hint}")
    return read_dram_timing(DEVICE_FOLDER / f"{found}.yaml")


def _device_called(name: str, known: list[str]) -> str | None:
    """The device of that name, or the only one of a family such as ``HBM2``."""
    family = [device for device in known if device.partition("-")[0].casefold() == name]
    exact = [device for device in known if device.casefold() == name]
    return (exact or family)[0] if exact or len(family) == 1 else None


def read_dram_timing(path: Path) -> DramTiming:
    """Read one device file; its stem is the device's name.

    Raises:
        ConfigError: as ``load_dram_timing``; the text starts with the file's name.
    """
    return timing_from_mapping(path.stem, read_mapping(path, path.name))


def timing_from_mapping(name: str, data: dict[str, Any]) -> DramTiming:
    """Build a device from the keys of its file: the field names, with ``tck: 625 ps`` for time.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, or an impossible value.
    """
    keys = [f.name for f in fields(DramTiming) if f.name not in _NOT_KEYS] + ["tck"]
    for key in data:
        if key not in (*keys, "currents"):
            near = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(keys)}"
            raise ConfigError(f"{name}.{key}: unknown key{hint}")
    missing = [key for key in keys if key not in data]
    if missing:
        raise ConfigError(f"{name}: missing {', '.join(missing)}")
    values = {key: _checked(name, key, data[key]) for key in keys if key != "tck"}
    if "currents" in data:
        values["currents"] = currents_from(name, data["currents"])
    timing = DramTiming(name=name, tck_ps=_period_ps(name, data["tck"]), **values)
    _check_consistency(timing)
    return timing


def _checked(name: str, key: str, value: Any) -> Any:
    """One value of the right type and range."""
    if key in ("source", "address_map"):
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
        raise ConfigError(f"{name}.{key}: {value!r} is not a text")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        unit = "clock count, e.g. 29" if key.endswith("_clk") else "whole number"
        raise ConfigError(f"{name}.{key}: {value!r} is not a {unit}")
    if value > _LARGEST:
        raise ConfigError(f"{name}.{key}: {value} is more than {_LARGEST}")
    if key in _POWERS_OF_TWO and (value == 0 or value & (value - 1)):
        raise ConfigError(f"{name}.{key}: {value} is not a power of two")
    return value


def _period_ps(name: str, value: Any) -> int:
    """A clock period such as ``625 ps`` or ``1.25 ns`` in whole ps."""
    match = (
        re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) *(ps|ns)", value) if isinstance(value, str) else None
    )
    if match is None:
        raise ConfigError(f"{name}.tck: {value!r} is not a time with its unit, e.g. 625 ps")
    period = float(match[1]) * _PS_PER_UNIT[match[2]]
    if period < 1 or not period.is_integer():
        raise ConfigError(f"{name}.tck: {value!r} is not a whole number of ps, at least 1")
    return int(period)


def _check_consistency(timing: DramTiming) -> None:
    """Refuse timings that contradict each other."""
    for low, high in (
        ("tccd_s_clk", "tccd_l_clk"),
        ("trrd_s_clk", "trrd_l_clk"),
        ("twtr_s_clk", "twtr_l_clk"),
        ("trp_clk", "trp_all_clk"),
        ("tras_clk", "trc_clk"),
        ("trcd_clk", "tras_clk"),
        ("trfc_clk", "trefi_clk"),
        ("burst_length", "columns"),
    ):
        small, large = getattr(timing, low), getattr(timing, high)
        if small > large:
            raise ConfigError(f"{timing.name}.{low}: {small} is more than {high} = {large}")
    for key in ("burst_clk", "cl_clk", "trcd_clk", "trp_clk", "trefi_clk"):
        if getattr(timing, key) < 1:
            raise ConfigError(f"{timing.name}.{key}: must be at least 1 clock")
