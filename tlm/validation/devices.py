"""The device and the policy that a reference was measured with, from its configuration files.

``configs.json`` holds those of DRAMsim3 and Ramulator 2.1, by ``SIMULATOR/CONFIGURATION``,
``dramsys_configs.json`` those of DRAMSys, in the words of each simulator. Configurations of one
name have the same timings and address map everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2
from pathlib import Path

from tlm.config.tables.dram_timing import DramTiming, timing_from_mapping
from tlm.errors import ConfigError
from tlm.files import parse_json, read_regular
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.policy import DramPolicy
from tlm.validation.reference import MAX_BYTES

Words = Mapping[str, object]  # of a configuration, as its file has them
_FIELDS = {"ro": "row", "ba": "bank", "bg": "bankgroup", "co": "column"}
TURN_CLK = 2  # bus turn-around from a read to a write in Ramulator 2.1 and DRAMSys (DDR)


@dataclass(frozen=True, slots=True)
class ReferenceChannel:
    """A channel as a reference describes it."""

    timing: DramTiming
    policy: DramPolicy


def read_channels(folder: Path) -> dict[str, ReferenceChannel | None]:
    """Every configuration, by name; None where our model lacks the means for it.

    Raises:
        ConfigError: a file is missing or no JSON, or a device in it is impossible.
    """
    channels: dict[str, ReferenceChannel | None] = {}
    for file, readers in (("configs.json", _READERS), ("dramsys_configs.json", _DRAMSYS)):
        path = folder / file
        for name, words in _configurations(path).items():
            simulator, _, config = name.rpartition("/")
            reader = readers.get(simulator.rstrip("0123456789."))
            if config in channels:
                continue
            if reader is None:
                raise ConfigError(f"--reference: {path}: {name}: unknown simulator {simulator!r}")
            try:
                channels[config] = None if _pseudo_channels(words) else reader(config, words)
            except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
                raise ConfigError(
                    f"--reference: {path}: {name}: {type(error).__name__}: {error}; expected the "
                    "keys of the configurations under traces/reference/dram"
                ) from None
    return channels


def _configurations(path: Path) -> dict[str, Words]:
    try:
        read = parse_json(read_regular(path, MAX_BYTES))
    except ValueError as error:
        raise ConfigError(
            f"--reference: {path}: cannot be read: {error}; it says with which device and "
            "controller every row of the tables was measured"
        ) from None
    if not isinstance(read, dict) or not all(isinstance(words, dict) for words in read.values()):
        raise ConfigError(f"--reference: {path}: expected one object a configuration")
    return read


def _pseudo_channels(words: Words) -> bool:
    """Whether a channel is two that share a command bus, which our model does not know."""
    return "pc" in str(words.get("levels", "")).split(",")


def _part(words: Words, name: str) -> Mapping[str, int]:
    part = words[name]
    if not isinstance(part, dict):
        raise ValueError(f"{name} is no object")
    return part


def _channel(
    name: str, source: str, order: str, numbers: Mapping[str, object], **policy: object
) -> ReferenceChannel:
    data: dict[str, object] = {"source": source, "address_map": order, **numbers}
    data["tck"] = f"{data.pop('tck_ps')} ps"
    timing = timing_from_mapping(name, data, name)
    settings = DramPolicy(**policy)  # type: ignore[arg-type]
    AddressMap(timing, order)
    return ReferenceChannel(timing, settings)


def _dramsim3(name: str, words: Words) -> ReferenceChannel:
    """Keys of DRAMsim3; a read is answered a clock after its data."""
    org, t, mapping = _part(words, "org"), dict(_part(words, "timing")), str(words["mapping"])
    if "tRCD" not in t:
        t["tRCD"] = _equal(t["tRCDRD"], t["tRCDWR"])
    burst = org["BL"] // 2
    numbers: dict[str, object] = {
        "tck_ps": round(1000 * t["tCK"]),
        "bus_bits": org["bus_width"],
        "burst_length": org["BL"],
        "bank_groups": org["bankgroups"],
        "banks_per_group": org["banks_per_group"],
        "rows": org["rows"],
        "columns": _columns(words, org["bankgroups"] * org["banks_per_group"], org["BL"]),
        "burst_clk": burst,
        "cl_clk": t["CL"],
        "cwl_clk": t["CWL"],
        "trc_clk": t["tRAS"] + t["tRP"],
        "trp_all_clk": t["tRP"],
        "trtw_clk": t["CL"] + burst - t["CWL"] + t["tRTRS"],
        **{f"{key.lower()}_clk": t[key] for key in _COMMON},
    }
    power = _part(words, "power")
    numbers["currents"] = {
        "devices": org["bus_width"] // org["device_width"],
        "vdd_mv": round(1000 * power["VDD"]),
        **{f"{key.lower()}_ma": power[key] for key in _CURRENTS},
    }
    fields = [_FIELDS[mapping[i : i + 2]] for i in range(0, len(mapping), 2) if _known(mapping, i)]
    return _channel(
        name,
        "DRAMsim3",
        " ".join(fields),
        {**numbers, **_NOT_IN_DDR},
        page="closed" if words["row_policy"] == "CLOSE_PAGE" else "open",
        response_clk=1,
    )


_COMMON = (
    "tRCD", "tRP", "tRAS", "tCCD_S", "tCCD_L", "tRRD_S", "tRRD_L", "tFAW", "tWTR_S", "tWTR_L",
    "tWR", "tRTP", "tRFC", "tREFI",
)  # fmt: skip
_CURRENTS = ("IDD0", "IDD2N", "IDD3N", "IDD4R", "IDD4W", "IDD5AB")
_NOT_IN_DDR = {"dqsck_clk": 0, "wr_extra_clk": 0}


def _equal(first: int, second: int) -> int:
    if first != second:
        raise ValueError(f"our model has one tRCD for reads and writes, not {first} and {second}")
    return first


def _columns(words: Words, banks: int, burst_length: int) -> int:
    """Columns of a row, from the step to a bank's next row: HBM's are counted in two ways."""
    burst_bytes = int(str(words["bytes_per_transaction"]))
    return int(str(words["same_bank_next_row_stride"])) // (banks * burst_bytes) * burst_length


def _known(mapping: str, at: int) -> bool:
    """Whether a field of DRAMsim3's map is one of a channel's: not channel or rank."""
    return mapping[at : at + 2] not in ("ch", "ra")


def _ramulator(name: str, words: Words) -> ReferenceChannel:
    """Keys of Ramulator 2.1; LPDDR5 has an ACT in two parts and a data strobe to start."""
    org, t = _part(words, "org"), _part(words, "timing")
    counts = dict(zip(str(words["levels"]).split(","), org["count"], strict=True))  # type: ignore[call-overload]
    burst = t["nBL"] if "nBL" in t else t["nBL_min"]
    beats = burst * round(t["rate"] * t["tCK_ps"] / 1e6)
    fields = [item.split(":")[0] for item in str(words["mapping_lsb_first"]).split(",")]
    numbers = {
        "tck_ps": t["tCK_ps"],
        "bus_bits": int(str(words["bytes_per_transaction"])) * 8 // beats,
        "burst_length": beats,
        "bank_groups": counts["bg"],
        "banks_per_group": counts["ba"],
        "rows": counts["ro"],
        "columns": _columns(words, counts["bg"] * counts["ba"], beats),
        "burst_clk": burst,
        "cl_clk": t["nCL"],
        "cwl_clk": t["nCWL"],
        "trc_clk": t["nRC"],
        "trp_all_clk": t.get("nRPab", t["nRP"]),
        "trtw_clk": t["nCL"] + burst + TURN_CLK - t["nCWL"],
        **{f"{key.lower()}_clk": t[f"n{key[1:].replace('_', '')}"] for key in _COMMON},
    }
    if "nAAD" in t:
        numbers |= {"activate_clk": 2, "activate_edge_clk": 1}
    if "nWCKPST" in t:
        numbers["strobe_start_clk"] = 1
    order = " ".join(_FIELDS[field] for field in reversed(fields))
    return _channel(
        name,
        "Ramulator 2.1",
        order,
        {**numbers, **_NOT_IN_DDR},
        page="open" if words["row_policy"] == "Open" else "closed",
        **_watermarks(words),
    )


def _watermarks(words: Words) -> dict[str, int]:
    size = int(str(words["write_buffer"]))
    low, high = (float(str(words[f"wr_{edge}_watermark"])) for edge in ("low", "high"))
    return {
        "read_queue": int(str(words["read_buffer"])),
        "write_queue": size,
        "write_high": int(high * size) + 1,  # more than its share
        "write_low": int(low * size),
    }


def _dramsys(name: str, words: Words) -> ReferenceChannel:
    """Keys of DRAMSys 5; LPDDR4 has commands of several clocks (its ``CheckerLPDDR4``)."""
    org, t = _part(words, "memarchitecturespec"), _part(words, "memtimingspec_cycles")
    groups = org.get("nbrOfBankGroups", 1)
    burst = org["burstLength"] // org["dataRate"]
    low_power = words["memoryType"] == "LPDDR4"
    read_end = t["RL"] + t.get("DQSCK", 0) * low_power + burst
    turn = t["WPRE"] + t["RPST"] if low_power else TURN_CLK
    numbers = {
        "tck_ps": round(1e6 / t["clkMhz"]),
        "bus_bits": org["width"] * org["nbrOfDevices"],
        "burst_length": org["burstLength"],
        "bank_groups": groups,
        "banks_per_group": org["nbrOfBanks"] // groups,
        "rows": org["nbrOfRows"],
        "columns": org["nbrOfColumns"],
        "burst_clk": burst,
        "cl_clk": t["RL"],
        "cwl_clk": t["WL"],
        "dqsck_clk": t["DQSCK"] if low_power else 0,
        "wr_extra_clk": t["DQSS"] if low_power else 0,
        "trp_clk": t.get("RP", t.get("RPPB", 0)),
        "trp_all_clk": t.get("RPAB", t.get("RP", 0)),
        "trc_clk": t.get("RC", t.get("RCPB", 0)),
        "trfc_clk": t.get("RFC", t.get("RFCAB", 0)),
        "trtw_clk": read_end + turn - t["WL"],
        **{f"t{key.lower()}_clk": t[key] for key in ("RCD", "RAS", "FAW", "WR", "RTP", "REFI")},
        **{
            f"t{key.lower()}_{reach.lower()}_clk": t.get(f"{key}_{reach}", t.get(key, 0))
            for key in ("CCD", "RRD", "WTR")
            for reach in ("S", "L")
        },
    }
    if low_power:
        numbers |= {"activate_clk": 4, "column_clk": 4, "precharge_clk": 2}
    bits = {key: min(_bits(words, key)) for key in _BITS if _bits(words, key)}
    order = " ".join(_BITS[key] for key in sorted(bits, key=bits.__getitem__, reverse=True))
    return _channel(name, "DRAMSys 5.0", order, numbers)


_BITS = {
    "ROW_BIT": "row", "BANK_BIT": "bank", "BANKGROUP_BIT": "bankgroup", "COLUMN_BIT": "column"
}  # fmt: skip


def _bits(words: Words, key: str) -> list[int]:
    """Address bits of a field above the burst."""
    org = _part(words, "memarchitecturespec")
    low = log2(org["width"] * org["nbrOfDevices"] // 8 * org["burstLength"])
    fields: Mapping[str, object] = _part(words, "addressmapping_bits")
    listed = fields.get(key, [])
    if not isinstance(listed, list):
        raise ValueError(f"{key} is no list")
    return [bit for bit in listed if bit >= low]


Reader = Callable[[str, Words], ReferenceChannel]
_READERS: dict[str, Reader] = {"dramsim": _dramsim3, "ramulator": _ramulator}
_DRAMSYS: dict[str, Reader] = {"": _dramsys}
