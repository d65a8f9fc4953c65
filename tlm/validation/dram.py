"""The DRAM channel against DRAMsim3, Ramulator 2.1 and DRAMSys 5.0 (traces/reference/dram)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.compiled.driver import dram_replay
from tlm.errors import ConfigError
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.energy import channel_energy
from tlm.hardware.dram.patterns import PATTERNS, PatternGeometry, requests
from tlm.validation.devices import ReferenceChannel, read_channels
from tlm.validation.reference import ReferenceRow, read_table

SLOW_ANSWER = "dramsim3"  # answers a read a clock after its last data beat
COLUMNS = ("sim", "config", "trace", "mode", "n", "bw_steady_GBps", "rd_lat_mean_ns")
WIDEST_FREE = 16  # requests outstanding up to which no queue depth plays a part


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """Steady bandwidth in GB/s and mean read latency in ns; None without reads."""

    bandwidth: float
    latency: float | None


@dataclass(frozen=True, slots=True)
class DramTask:
    """One point of the reference: a channel, a load, and what every simulator says of it."""

    config: str
    trace: str
    mode: str
    count: int  # of requests
    channel: ReferenceChannel
    simulators: Mapping[str, ChannelFigures]
    energy_uj: float | None  # as DRAMsim3 logs it

    @property
    def closed(self) -> bool:
        """Whether the number of outstanding requests is limited."""
        return self.mode.startswith("win:")

    @property
    def writes(self) -> bool:
        """Whether there are writes among the requests."""
        return self.trace.endswith(("_wr", "_mix")) or self.trace.startswith("mix21")

    @property
    def policy_free(self) -> bool:
        """Reads in a closed loop that no order of commands and no depth of a queue touches."""
        if not self.closed or self.writes or int(self.mode[4:]) > WIDEST_FREE:
            return False
        return self.trace != "conf_2rows" and (self.trace != "conf_1bank" or self.mode == "win:1")

    @property
    def comparable(self) -> bool:
        """False where writes leave a window at times that differ from simulator to simulator."""
        return not (self.closed and self.writes)

    @property
    def saturated(self) -> bool:
        """More is offered than the memory takes: read latency is queue depth there."""
        if self.mode.startswith("int:"):
            timing = self.channel.timing
            offered = timing.burst_bytes * 1000 / (float(self.mode[4:]) * timing.tck_ps)
            return max(f.bandwidth for f in self.simulators.values()) < 0.97 * offered
        return self.mode in ("sat", "win:64")


@dataclass(frozen=True, slots=True)
class BandPoint:
    """A point measured under both orders of commands."""

    task: DramTask
    ours: ChannelFigures
    hits_first: ChannelFigures
    energy_uj: float | None

    @property
    def name(self) -> str:
        """Config, trace and load."""
        return f"{self.task.config} {self.task.trace} {self.task.mode}"

    @property
    def bandwidth_band(self) -> tuple[float, float]:
        """Least and most of the simulators."""
        values = [figures.bandwidth for figures in self.task.simulators.values()]
        peak = self.task.channel.timing.peak_bytes_per_ps * 1000
        return min(values), min(max(values), peak)

    @property
    def latency_band(self) -> tuple[float, float] | None:
        """Least and most of the simulators; None without reads."""
        values = [f.latency for f in self.task.simulators.values() if f.latency is not None]
        return (min(values), max(values)) if values else None

    @property
    def bandwidth_excess(self) -> float:
        """Relative distance outside the band, 0 inside."""
        return _excess(self.ours.bandwidth, self.bandwidth_band)

    @property
    def latency_excess(self) -> float | None:
        """The same of the read latency; None where it measures queue depth, or nothing is read."""
        band = self.latency_band
        if band is None or self.ours.latency is None or self.task.saturated:
            return None
        return _excess(self.ours.latency, band)

    @property
    def bandwidth_ok(self) -> bool:
        """Within 5 % of the band."""
        return abs(self.bandwidth_excess) <= 0.05

    @property
    def latency_ok(self) -> bool:
        """Within 10 % of the band, 5 % where no policy matters; true where not judged."""
        excess = self.latency_excess
        return excess is None or abs(excess) <= (0.05 if self.task.policy_free else 0.10)


def _excess(value: float, band: tuple[float, float]) -> float:
    low, high = band
    return value / high - 1 if value > high else value / low - 1 if value < low else 0.0


def tasks(reference: Path) -> tuple[list[DramTask], list[str]]:
    """Every point that can be measured, and the configurations that our model has no means for.

    Raises:
        ConfigError: a file is missing, or a row names what is not known.
    """
    folder = reference / "dram"
    channels = read_channels(folder)
    grouped: dict[tuple[str, str, str], list[ReferenceRow]] = {}
    for file in ("results.csv", "dramsys.csv"):
        for number, row in enumerate(read_table(folder / file), 2):
            _check(row, f"{folder / file}: line {number}", channels)
            grouped.setdefault((row["config"], row["trace"], row["mode"]), []).append(row)
    left_out = [name for name, channel in channels.items() if channel is None]
    return list(_planned(grouped, channels)), left_out


def _planned(
    grouped: Mapping[tuple[str, str, str], list[ReferenceRow]],
    channels: Mapping[str, ReferenceChannel | None],
) -> Iterator[DramTask]:
    sims: dict[str, set[str]] = {}
    for (config, _, _), rows in grouped.items():
        sims.setdefault(config, set()).update(row["sim"] for row in rows)
    for (config, trace, mode), rows in grouped.items():
        channel = channels[config]
        if channel is None:
            continue
        together = len(sims[config]) > 1
        if together:
            channel = replace(channel, policy=replace(channel.policy, response_clk=0))
        late = channel.timing.tck_ps / 1000 if together else 0.0
        logged = [row["energy_uJ"] for row in rows if row.get("energy_uJ")]
        yield DramTask(
            config=config,
            trace=trace,
            mode=mode,
            count=max(int(row["n"]) for row in rows),
            channel=channel,
            simulators={
                row["sim"]: _figures(row, late if row["sim"] == SLOW_ANSWER else 0.0)
                for row in rows
            },
            energy_uj=float(logged[0]) if logged else None,
        )


def _figures(row: ReferenceRow, late_ns: float) -> ChannelFigures:
    latency = float(row["rd_lat_mean_ns"] or -1)
    return ChannelFigures(float(row["bw_steady_GBps"]), latency - late_ns if latency > 0 else None)


def _check(row: ReferenceRow, where: str, channels: Mapping[str, object]) -> None:
    """Refuse a row before anything is measured."""
    missing = [name for name in COLUMNS if row.get(name) is None]
    if missing:
        raise ConfigError(f"--reference: {where}: no column {', '.join(missing)}")
    if row["config"] not in channels:
        raise ConfigError(
            f"--reference: {where}: configuration {row['config']!r} is in neither configs.json nor "
            f"dramsys_configs.json; there are {', '.join(channels)}"
        )
    if row["trace"] not in PATTERNS:
        raise ConfigError(f"--reference: {where}: no pattern {row['trace']!r}")
    try:
        DramLoad.parse(row["mode"])
        _figures(row, 0.0)
        positive = int(row["n"]) >= 10 and float(row["bw_steady_GBps"]) > 0
    except ValueError:
        positive = False
    if not positive:
        raise ConfigError(
            f"--reference: {where}: n, bw_steady_GBps or rd_lat_mean_ns is no number above 0"
        )


def measure(task: DramTask, quick: bool) -> BandPoint:
    """Run our channel at one point, under both orders of commands."""
    timing, policy = task.channel.timing, task.channel.policy
    amap = AddressMap(timing)
    geometry = PatternGeometry(timing.burst_bytes, amap.page_step_bytes, amap.same_bank_bytes)
    count = task.count // 5 if quick else task.count
    offered, load = requests(task.trace, count, geometry), DramLoad.parse(task.mode)
    replay, hits_first = dram_replay(), replace(policy, policy="hits-first")
    measured = drive(timing, offered, load, policy, replay=replay)
    energy = channel_energy(timing, measured.counters, measured.time_ps)
    other = drive(timing, offered, load, hits_first, replay=replay)
    return BandPoint(
        task=task,
        ours=ChannelFigures(measured.steady_gb_s, measured.read_latency_ns),
        hits_first=ChannelFigures(other.steady_gb_s, other.read_latency_ns),
        energy_uj=None if energy is None or quick else energy.total_pj / 1e6,
    )


@dataclass(frozen=True, slots=True)
class SimulatorError:
    """Relative errors against one simulator on one configuration, under one order of commands."""

    config: str
    simulator: str
    policy: str
    bandwidth: list[float]
    latency: list[float]  # below saturation


def errors_by_simulator(points: list[BandPoint]) -> Iterator[SimulatorError]:
    """Of every configuration, simulator and policy; windows with writes are left out."""
    keys = dict.fromkeys((p.task.config, sim) for p in points for sim in p.task.simulators)
    for config, sim in keys:
        chosen = [
            p
            for p in points
            if p.task.config == config and sim in p.task.simulators and p.task.comparable
        ]
        for policy in ("ready-first", "hits-first"):
            errors = SimulatorError(config, sim, policy, [], [])
            for point in chosen:
                ours = point.ours if policy == "ready-first" else point.hits_first
                theirs = point.task.simulators[sim]
                errors.bandwidth.append(ours.bandwidth / theirs.bandwidth - 1)
                if ours.latency and theirs.latency and not point.task.saturated:
                    errors.latency.append(ours.latency / theirs.latency - 1)
            yield errors
