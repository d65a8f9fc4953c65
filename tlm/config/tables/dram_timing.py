"""DRAM devices: geometry and timing of one channel, read from ``tlm/config/dram/NAME.yaml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tlm.config import units
from tlm.config.problems import validated
from tlm.config.quantities import Section
from tlm.config.tables.dram_currents import DramCurrents, DramEnergy
from tlm.config.yaml_file import read_mapping
from tlm.errors import ConfigError

DEVICE_FOLDER = Path(__file__).parent.parent / "dram"
_MOST_CLOCKS = 10**6  # hundred times the longest interval of any device
_MOST_BYTES = 1 << 48  # of a channel
_BEATS_PER_CLOCK = (1, 2, 4, 8)  # up to a data clock of four times the command clock (LPDDR5)

# Pairs of keys of which the first must not be larger than the second.
_ORDERED = (
    ("tccd_s_clk", "tccd_l_clk"),
    ("trrd_s_clk", "trrd_l_clk"),
    ("twtr_s_clk", "twtr_l_clk"),
    ("trp_clk", "trp_all_clk"),
    ("tras_clk", "trc_clk"),
    ("trcd_clk", "tras_clk"),
    ("tccd_s_clk", "burst_clk"),
    ("activate_edge_clk", "activate_clk"),
    ("activate_clk", "trp_clk"),
    ("column_clk", "trcd_clk"),
    ("burst_length", "columns"),
)


def _power_of_two(number: int) -> int:
    if number & (number - 1):
        raise ValueError(f"expected a power of two, got {number}")
    return number


def _one_line(text: str) -> str:
    """``text`` without its line breaks: files wrap their sources."""
    if not text.strip():
        raise ValueError(f"expected a text, got {text!r}")
    return " ".join(text.split())


Clocks = Annotated[int, Field(ge=0, le=_MOST_CLOCKS)]
PositiveClocks = Annotated[int, Field(ge=1, le=_MOST_CLOCKS)]
CommandClocks = Annotated[int, Field(ge=1, le=8)]
PowerOfTwo = Annotated[int, Field(ge=1, le=1 << 24), AfterValidator(_power_of_two)]
Text = Annotated[str, AfterValidator(_one_line)]
Period = Annotated[int, BeforeValidator(partial(units.parse, units.PERIOD))]


class DramTiming(Section):
    """Geometry and timing of one DRAM channel of one rank.

    Fields ending in ``_clk`` are JEDEC's parameters in clocks of ``tck_ps``, which a file gives as
    ``tck: 625 ps``; ``_s`` is to another bank group, ``_l`` within one. They count from the last
    clock of a command to the last of the next where commands take several. ``address_map`` names
    the fields above the burst offset from most to least significant. All-bank refresh.
    """

    name: str
    source: Text
    address_map: Text
    tck_ps: Period = Field(alias="tck")
    bus_bits: Annotated[PowerOfTwo, Field(le=4096)]
    burst_length: PowerOfTwo  # beats of an access: burst_length * bus_bits / 8 bytes
    bank_groups: Annotated[PowerOfTwo, Field(le=64)]
    banks_per_group: Annotated[PowerOfTwo, Field(le=64)]
    rows: Annotated[PowerOfTwo, Field(ge=2)]
    columns: PowerOfTwo  # of bus_bits each, so a row holds columns / burst_length bursts
    burst_clk: PositiveClocks  # data bus time of an access (BL / 2 for a double data rate bus)
    cl_clk: PositiveClocks  # RD to first data beat
    cwl_clk: Clocks  # WR to first data beat
    dqsck_clk: Clocks  # strobe delay added to reads (LPDDR), 0 where CL includes it
    trcd_clk: PositiveClocks
    trp_clk: PositiveClocks
    trp_all_clk: Clocks  # precharge of all banks before a refresh
    tras_clk: Clocks
    trc_clk: Clocks
    tccd_s_clk: PositiveClocks
    tccd_l_clk: PositiveClocks
    trrd_s_clk: Clocks
    trrd_l_clk: Clocks
    tfaw_clk: Clocks
    twtr_s_clk: Clocks
    twtr_l_clk: Clocks
    trtw_clk: Clocks  # RD to WR command
    twr_clk: Clocks
    trtp_clk: Clocks
    wr_extra_clk: Clocks  # write strobe delay between CWL and recovery (LPDDR), else 0
    trfc_clk: Clocks
    trefi_clk: PositiveClocks
    activate_clk: CommandClocks = 1  # clocks of an ACT on the command bus
    activate_edge_clk: Clocks = 0  # its clock that tRP and tRFC count to, tRAS from; 0: the last
    column_clk: CommandClocks = 1  # clocks of RD and WR
    precharge_clk: CommandClocks = 1  # clocks of PRE and REF
    strobe_start_clk: Annotated[Clocks, Field(le=8)] = (
        0  # of the CAS (LPDDR5) before a RD or WR that finds no strobe
    )
    currents: DramCurrents | None = None  # data-sheet currents, where a file gives them
    energy: DramEnergy | None = None  # what a bit costs, interface included

    @property
    def burst_bytes(self) -> int:
        """Bytes moved by one RD or WR command."""
        return self.bus_bits * self.burst_length // 8

    @property
    def bursts_per_row(self) -> int:
        """Bursts in one open row."""
        return self.columns // self.burst_length

    @property
    def field_sizes(self) -> dict[str, int]:
        """How many values each field of an address has."""
        return {
            "row": self.rows,
            "bank": self.banks_per_group,
            "column": self.bursts_per_row,
            "bankgroup": self.bank_groups,
        }

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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *(
                f"{low}: {getattr(self, low)} is more than {high} = {getattr(self, high)}"
                for low, high in _ORDERED
                if getattr(self, low) > getattr(self, high)
            ),
            *self._geometry_problems(),
            *self._refresh_problems(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _geometry_problems(self) -> Iterator[str]:
        """Whether an access, its time on the bus, the capacity and the addresses are possible."""
        if self.bus_bits * self.burst_length < 8:
            yield f"burst_length: {self.burst_length} beats of {self.bus_bits} bit are no byte"
        if self.burst_length not in [beats * self.burst_clk for beats in _BEATS_PER_CLOCK]:
            yield (
                f"burst_clk: a bus moves 1, 2, 4 or 8 beats in a clock, so burst_length = "
                f"{self.burst_length} beats cannot take {self.burst_clk} clocks"
            )
        if self.capacity_bytes > _MOST_BYTES:
            yield (
                f"rows: a channel holds at most 2^{_MOST_BYTES.bit_length() - 1} bytes, these "
                f"rows, columns and banks are 2^{self.capacity_bytes.bit_length() - 1}"
            )
        try:
            address_fields(self.address_map, self.field_sizes)
        except ValueError as error:
            yield f"address_map: {error}"

    def _refresh_problems(self) -> Iterator[str]:
        """Whether a row can be opened, written and closed between one refresh and the next."""
        recovery = self.cwl_clk + self.burst_clk + self.wr_extra_clk + self.twr_clk
        row = max(self.tras_clk, self.trcd_clk + max(recovery, self.trtp_clk))
        least = self.trp_all_clk + self.trfc_clk + row
        if self.trefi_clk <= least:
            yield (
                f"trefi_clk: {self.trefi_clk} leaves no time between refreshes: expected more than "
                f"{least} (trp_all + trfc = {self.trp_all_clk + self.trfc_clk}, and a row opened, "
                f"written and ready to close = {row})"
            )


def address_fields(text: str, sizes: Mapping[str, int]) -> list[str]:
    """The fields that an address map names, most significant first.

    Raises:
        ValueError: a field is unknown, named twice, or missing though it has several values.
    """
    names = text.split()
    for name in names:
        if name not in sizes:
            raise ValueError(f"{text!r}: unknown field {name!r}; fields: {' '.join(sizes)}")
        if names.count(name) > 1:
            raise ValueError(f"{text!r}: {name!r} is named twice")
    for name, size in sizes.items():
        if size > 1 and name not in names:
            raise ValueError(f"{text!r}: {name!r} ({size} values) is missing")
    return names


def dram_devices() -> list[str]:
    """Names of the devices that ship, sorted."""
    return sorted(path.stem for path in DEVICE_FOLDER.glob("*.yaml"))


def load_dram_timing(name: str, asked_by: str = "dram.device") -> DramTiming:
    """Read the device ``name`` (any case) from ``tlm/config/dram``, or a file ``name.yaml``.

    ``asked_by`` names the key or option that asks for it in the error text.

    Raises:
        ConfigError: no such device, an unknown, missing or duplicate key, or an impossible value.
    """
    if name.endswith((".yaml", ".yml")):
        return read_dram_timing(Path(name))
    known = dram_devices()
    device = _device_called(name.casefold(), known)
    if device is None:
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; or name a file .yaml"
        raise ConfigError(f"{asked_by}: no device {name!r}; there are {', '.join(known)}{hint}")
    return read_dram_timing(DEVICE_FOLDER / f"{device}.yaml")


def _device_called(name: str, known: list[str]) -> str | None:
    """The device of that name, or the only one of a family such as ``HBM2``."""
    family = [device for device in known if device.partition("-")[0].casefold() == name]
    exact = [device for device in known if device.casefold() == name]
    return (exact or family)[0] if exact or len(family) == 1 else None


def read_dram_timing(path: Path) -> DramTiming:
    """Read one device file; its stem is the device's name.

    Raises:
        ConfigError: as ``load_dram_timing``; every line starts with the file.
    """
    return timing_from_mapping(path.stem, read_mapping(path, str(path)), str(path))


def timing_from_mapping(name: str, data: dict[str, object], where: str) -> DramTiming:
    """The device ``name`` from the keys of its file, which error texts call ``where``.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, or an impossible value; one line for
            each problem.
    """
    if "name" in data:
        raise ConfigError(f"{where}: name: unknown key; a device is called as its file")
    return validated(DramTiming, {"name": name, **data}, where)
