"""The DRAM channel against DRAMsim3, Ramulator 2.1 and DRAMSys 5.0 (traces/reference/dram)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.driver import DramLoad, DramMeasurement, drive
from tlm.hardware.dram.energy import channel_energy
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy
from tlm.validation.reference import ReferenceRow, read_table

COBG, BGCO = "row bank column bankgroup", "row bank bankgroup column"
CONFIGS = {  # of the reference: device, policy
    "ddr4_2400_bgco": ("DDR4-2400", DramPolicy(address_map=BGCO)),
    "ddr4_2400_cobg": ("DDR4-2400", DramPolicy(address_map=COBG)),
    "ddr4_2400_cobg_close": (
        "DDR4-2400",
        DramPolicy(address_map=COBG, page="closed", response_clk=1),
    ),
    "hbm2_1ch": ("HBM2-2000", DramPolicy(response_clk=1)),
}
SINGLE = ("ddr4_2400_cobg_close", "hbm2_1ch")  # measured with one simulator, DRAMsim3
FULL_REQUESTS, LATE_REQUESTS = 20000, 5000  # the latter where they come more than 32 clocks apart


@dataclass(frozen=True, slots=True)
class BandPoint:
    """One point of the reference: the band of the simulators, and ours. GB/s and ns."""

    config: str
    trace: str
    mode: str
    policy_free: bool
    saturated: bool
    bandwidth_band: tuple[float, float]
    latency_band: tuple[float, float] | None
    bandwidth: float
    latency: float | None
    energy_uj: float | None
    energy_reference_uj: float | None

    @property
    def name(self) -> str:
        """Config, trace and load."""
        return f"{self.config} {self.trace} {self.mode}"

    @property
    def bandwidth_excess(self) -> float:
        """Relative distance outside the band, 0 inside."""
        return _excess(self.bandwidth, self.bandwidth_band)

    @property
    def latency_excess(self) -> float | None:
        """The same of the read latency; None where it measures queue depth, or nothing is read."""
        if self.latency_band is None or self.latency is None or self.saturated:
            return None
        return _excess(self.latency, self.latency_band)

    @property
    def bandwidth_ok(self) -> bool:
        """Within 5 % of the band."""
        return abs(self.bandwidth_excess) <= 0.05

    @property
    def latency_ok(self) -> bool:
        """Within 10 % of the band, 5 % where no policy matters; true where not judged."""
        excess = self.latency_excess
        return excess is None or abs(excess) <= (0.05 if self.policy_free else 0.10)


def _excess(value: float, band: tuple[float, float]) -> float:
    low, high = band
    return value / high - 1 if value > high else value / low - 1 if value < low else 0.0


def band_rows(reference: Path) -> list[ReferenceRow]:
    """Points with a band over at least two simulators."""
    return read_table(reference / "dram" / "bands.csv")


def single_rows(reference: Path) -> list[ReferenceRow]:
    """Points of the configurations that one simulator was run with, in the form of a band."""
    return [
        {
            "config": row["config"],
            "trace": row["trace"],
            "mode": row["mode"],
            "bw_min_GBps": row["bw_steady_GBps"],
            "bw_max_GBps": row["bw_steady_GBps"],
            "rd_lat_min_ns": row["rd_lat_mean_ns"] if float(row["rd_lat_mean_ns"]) > 0 else "",
            "rd_lat_max_ns": row["rd_lat_mean_ns"],
            "policy_free": "0",
        }
        for row in read_table(reference / "dram" / "results.csv")
        if row["sim"] == "dramsim3" and row["config"] in SINGLE
    ]


def logged_energies(reference: Path) -> dict[tuple[str, str, str], float]:
    """Total energy in uJ that DRAMsim3 logs, by config, trace and load."""
    return {
        (row["config"], row["trace"], row["mode"]): float(row["energy_uJ"])
        for row in read_table(reference / "dram" / "results.csv")
        if row["sim"] == "dramsim3" and row["energy_uJ"]
    }


def measure(row: ReferenceRow, logged_uj: float | None, quick: bool) -> BandPoint:
    """Run our channel at one point."""
    device, policy = CONFIGS[row["config"]]
    timing = load_dram_timing(device)
    amap = AddressMap(timing, policy.address_map)
    geometry = PatternGeometry(timing.burst_bytes, amap.page_step_bytes, amap.same_bank_bytes)
    mode = row["mode"]
    late = mode.startswith("int:") and float(mode[4:]) > 32
    count = LATE_REQUESTS if late else FULL_REQUESTS
    offered = requests(row["trace"], count // 5 if quick else count, geometry)
    measured = drive(timing, offered, DramLoad.parse(mode), policy)
    energy = channel_energy(timing, measured.counters, measured.time_ps)
    peak = timing.peak_bytes_per_ps * 1000
    return BandPoint(
        config=row["config"],
        trace=row["trace"],
        mode=mode,
        policy_free=row["policy_free"] == "1",
        saturated=_saturated(row, timing.burst_bytes, timing.tck_ps),
        bandwidth_band=(float(row["bw_min_GBps"]), min(float(row["bw_max_GBps"]), peak)),
        latency_band=(float(row["rd_lat_min_ns"]), float(row["rd_lat_max_ns"]))
        if row["rd_lat_min_ns"]
        else None,
        bandwidth=measured.steady_gb_s,
        latency=measured.read_latency_ns,
        energy_uj=None if energy is None else energy.total_pj / 1e6,
        energy_reference_uj=None if quick else logged_uj,
    )


def _saturated(row: ReferenceRow, burst_bytes: int, tck_ps: int) -> bool:
    """More is offered than the memory takes: read latency is queue depth there."""
    mode = row["mode"]
    if mode.startswith("int:"):
        offered = burst_bytes * 1000 / (float(mode[4:]) * tck_ps)
        return float(row["bw_max_GBps"]) < 0.97 * offered
    return mode in ("sat", "win:64")


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A figure that follows from the timings alone."""

    what: str
    expected: float
    ours: float
    unit: str

    @property
    def error(self) -> float:
        """Relative error."""
        return self.ours / self.expected - 1


def closed_forms() -> Iterator[ClosedForm]:
    """Latencies and bounds of DDR4-2400 that need no simulator."""
    t = load_dram_timing("DDR4-2400")
    clk = t.tck_ps / 1000
    awake = 1 - t.trfc_clk / t.trefi_clk
    hit = t.cl_clk + t.burst_clk
    yield ClosedForm("read, row open", hit * clk, _latency("seq_rd", 4), "ns")
    yield ClosedForm("read, bank closed", (t.trcd_clk + hit) * clk, _latency("seq_rd", 0), "ns")
    yield ClosedForm(
        "read, other row open",
        (t.trp_clk + t.trcd_clk + hit) * clk,
        _latency("conf_1bank", 1, spacing_clk=200),
        "ns",
    )
    for what, trace, bound in (
        ("conflicts of one bank: tRC", "conf_1bank", 64 / (t.trc_clk * clk)),
        ("random reads: tFAW", "rand_rd", 4 * 64 / (t.tfaw_clk * clk)),
        ("stream: data bus", "seq_rd", t.peak_bytes_per_ps * 1000),
    ):
        yield ClosedForm(what, bound * awake, _run(trace, 12000, "sat").steady_gb_s, "GB/s")


def _run(trace: str, count: int, mode: str) -> DramMeasurement:
    timing = load_dram_timing("DDR4-2400")
    amap = AddressMap(timing, COBG)
    geometry = PatternGeometry(64, amap.page_step_bytes, amap.same_bank_bytes)
    policy = DramPolicy(address_map=COBG)
    return drive(timing, requests(trace, count, geometry), DramLoad.parse(mode), policy)


def _latency(trace: str, index: int, spacing_clk: int = 60) -> float:
    """Latency in ns of the last of ``index + 1`` reads, far apart: sums differ by that one."""
    total = [
        (_run(trace, n, f"int:{spacing_clk}").read_latency_ns or 0.0) * n
        for n in range(max(index, 1), index + 2)
    ]
    return total[-1] - total[0] if index else total[-1]
