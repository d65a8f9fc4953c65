"""The DRAM sections of docs/validation.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tlm.validation.closed_forms import ClosedForm
from tlm.validation.dram import BandPoint, errors_by_simulator
from tlm.validation.markdown import percent, table
from tlm.validation.reference import Errors


@dataclass(frozen=True)
class DramFindings:
    """What was measured of the DRAM channel; ``left_out`` names configurations without a model."""

    closed: list[ClosedForm]
    points: list[BandPoint]
    left_out: list[str]

    @property
    def bands(self) -> list[BandPoint]:
        """Points of configurations that several simulators ran."""
        return [p for p in self.points if p.task.config in self._several]

    @property
    def single(self) -> list[BandPoint]:
        """Points of configurations that one simulator ran."""
        return [p for p in self.points if p.task.config not in self._several]

    @cached_property
    def _several(self) -> set[str]:
        return {p.task.config for p in self.points if len(p.task.simulators) > 1}


def dram_sections(findings: DramFindings) -> list[str]:
    """Closed forms, bands, errors by simulator, single simulators, energy."""
    left_out = ", ".join(f"`{name}`" for name in findings.left_out)
    return [
        "### Closed forms of every device\n",
        _closed_forms(findings.closed),
        "### Error by simulator\n",
        "Relative errors of bandwidth, and of read latency below saturation, against each "
        "simulator alone, under both values of `dram.policy`. Windows with writes are left out: a "
        "write leaves its window at another time in each simulator. One clock is taken off "
        "DRAMsim3's reads, which it answers that much later. `ready-first`, the default, is what "
        "Ramulator 2.1 does; DRAMsim3 closes a row after four hits and stands between the two; "
        "DRAMSys keeps rows for their hits, and is nearer to `hits-first`."
        + (f" Without a model, and not compared: {left_out}." if left_out else "")
        + "\n",
        _simulators(findings.points),
        "### Against the band of several simulators\n",
        "Bandwidth within 5 % of the band; read latency within 10 % below saturation, 5 % where "
        "no queue or write policy plays a part. Saturated latency measures the depth of the "
        "queues and is not judged.\n",
        _band_table(findings.bands),
        "Points outside:\n",
        _band_outside(findings.bands),
        "### Against one simulator\n",
        "One simulator, so the band is a line. DRAMsim3's queues are deeper (up to 104 requests) "
        "and it acknowledges a write a cycle after acceptance, DRAMSys when its data is on the "
        "bus: saturated points and windows with writes measure that.\n",
        _band_table(findings.single),
        "Points outside:\n",
        _band_outside(findings.single),
        _energy(findings.points),
    ]


def _closed_forms(forms: Sequence[ClosedForm]) -> str:
    rows = [
        (
            form.device,
            form.what,
            f"{form.expected:.2f} {form.unit}",
            f"{form.ours:.2f}",
            percent(form.error, 2),
        )
        for form in forms
    ]
    return table(("device", "figure", "expected", "ours", "error"), rows)


def _simulators(points: list[BandPoint]) -> str:
    rows = []
    for errors in errors_by_simulator(points):
        bandwidth, latency = Errors.of(errors.bandwidth), Errors.of(errors.latency)
        cells = (bandwidth.median, bandwidth.p90, bandwidth.largest)
        rows.append(
            (
                errors.config,
                errors.simulator,
                errors.policy,
                str(bandwidth.points),
                *map(percent, cells),
                *map(percent, (latency.median, latency.p90, latency.largest)),
            )
        )
    return table(
        (
            "configuration",
            "simulator",
            "policy",
            "points",
            "bandwidth, median",
            "p90",
            "largest",
            "latency, median",
            "p90",
            "largest",
        ),
        rows,
    )


def _band_table(points: Sequence[BandPoint]) -> str:
    rows = []
    for config in dict.fromkeys(point.task.config for point in points):
        mine = [point for point in points if point.task.config == config]
        judged = [point for point in mine if point.latency_excess is not None]
        free = [point for point in mine if point.task.policy_free]
        rows.append(
            (
                config,
                f"{sum(p.bandwidth_ok for p in mine)} of {len(mine)}",
                f"{sum(p.latency_ok for p in judged)} of {len(judged)}",
                f"{sum(p.bandwidth_ok and p.latency_ok for p in free)} of {len(free)}",
            )
        )
    return table(
        ("configuration", "bandwidth inside", "latency inside", "policy-free inside"), rows
    )


def _band_outside(points: Sequence[BandPoint]) -> str:
    rows = [
        (
            point.name,
            "{:.2f} - {:.2f}".format(*point.bandwidth_band),
            f"{point.ours.bandwidth:.2f}",
            percent(point.bandwidth_excess),
            "-" if point.latency_excess is None else percent(point.latency_excess),
        )
        for point in points
        if not (point.bandwidth_ok and point.latency_ok)
    ]
    if not rows:
        return "None.\n"
    return table(
        ("point", "simulators, GB/s", "ours", "bandwidth outside by", "latency outside by"), rows
    )


def _energy(points: Sequence[BandPoint]) -> str:
    rows = []
    for config in dict.fromkeys(point.task.config for point in points):
        errors = Errors.of(
            [
                point.energy_uj / point.task.energy_uj - 1
                for point in points
                if point.task.config == config and _comparable_energy(point)
                if point.energy_uj is not None and point.task.energy_uj is not None
            ]
        )
        if errors.points:
            cells = (errors.median, errors.p90, errors.largest)
            rows.append((config, str(errors.points), *map(percent, cells)))
    return (
        "### Energy\n\nTotal energy from our command counts and the device's supply currents "
        "(`dram.energy: currents`) against what DRAMsim3 logs, below saturation, where both move "
        "the same bandwidth; windows with writes left out. Background is charged as if a bank "
        "were open at all times but in refreshes: too much for closed pages at low load.\n\n"
        + table(("configuration", "points", "median", "p90", "largest"), rows)
    )


def _comparable_energy(point: BandPoint) -> bool:
    """Whether both controllers did the same work in the same time."""
    same_load = not point.task.saturated and abs(point.bandwidth_excess) <= 0.02
    return same_load and point.task.comparable
