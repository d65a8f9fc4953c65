"""The text of docs/validation.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tlm.hardware.noc.driver import Model
from tlm.validation.dram import BandPoint, ClosedForm
from tlm.validation.noc import CurveResult, Limit, errors_between
from tlm.validation.reference import Errors

LOADS = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.97))
TOLERANCES = (0.05, 0.10)  # of the first two loads

_STUDY = re.compile(r"^<!-- study: .*?^<!-- end: [^\n]*$", re.MULTILINE | re.DOTALL)

_HEAD = """# Validation

Written by `python -m tlm validate`; do not edit. The models of memory and network beside public
cycle-accurate simulators with the same parameters. No parameter of ours is fitted: every one is a
timing of a data sheet or a choice of architecture. Accuracy here means against simulators, not
against silicon. Where the reference curves come from: `traces/reference/dram/README.md` and
`traces/reference/noc/README.md`.
"""

_NOT_MODELLED = """## What is not modelled

Network:
- credit delays other than BookSim2's default, virtual channels that are freed by the tail's
  credit, and input speed-up (the reference's router `m88`);
- packets to several targets: a message to many cores is sent to each of them;
- back-pressure from a DRAM channel into the mesh: a terminal takes one flit per cycle; what the
  controller's queues cannot hold waits at the channel, bounded by the DMAs' windows;
- links longer than a cycle, clock domains within the mesh, link errors.

Why there is no deadlock: XY and YX routes never turn back into the first dimension, west-first
forbids both turns into west, so channels can be numbered along every route and no cycle of
packets that wait for each other's buffers closes (Dally and Seitz 1987; Glass and Ni 1992).
Requests and responses have networks of their own, and a terminal always takes what arrives, so
none closes through the memory either. Tests
drive 1,000 random mixes through meshes with buffers of 1 to 3 flits (`pytest -m slow
tests/hardware/noc/test_router.py`).

DRAM:
- more than one rank, per-bank refresh, postponed or pulled-in refresh, power-down and
  self-refresh;
- DRAMsim3's per-bank command queues, which mix reads and writes in flight: with closed pages and
  streams of both it moves up to 40 % more than our controller, which drains writes in batches
  between two watermarks;
- DRAMSys' buffer per bank (8 deep), and its command bus arbitration;
- supply currents of LPDDR4-3200, LPDDR5 and HBM2E, which nobody publishes in a form we could
  cite.
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the page reports."""

    mismatches: list[tuple[int, int, int, int]]  # side, flits, pairs tested, pairs off
    limits: list[Limit]
    curves: list[CurveResult]
    closed: list[ClosedForm]
    bands: list[BandPoint]
    single: list[BandPoint]


def page(findings: Findings, figures: Sequence[str]) -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, "## Network\n", *_network(findings)]
    parts += [f"![{name}](figures/{name}.png)\n" for name in figures if name.startswith("noc")]
    parts += ["## DRAM\n", *_dram(findings)]
    parts += [f"![{name}](figures/{name}.png)\n" for name in figures if name.startswith("dram")]
    parts.append(_NOT_MODELLED)
    return "\n".join(parts)


def kept_studies(text: str) -> str:
    """The sections of a page that studies put between their marks: they stay as they are."""
    kept = _STUDY.findall(text)
    return "".join(f"\n{section}\n" for section in kept)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def _network(findings: Findings) -> list[str]:
    exact = sum(limit.holds for limit in findings.limits)
    return [
        "### Zero load\n",
        "Latency of every pair of nodes, one packet in an empty mesh, against "
        "(h + 1)(P + 1) + L + 1 cycles.\n",
        _table(
            ("mesh", "flits", "pairs (three routers)", "pairs that differ"),
            (
                (f"{k}x{k}", str(flits), str(pairs), str(off))
                for k, flits, pairs, off in findings.mismatches
            ),
        ),
        "### What one virtual channel carries\n",
        f"Offered load 1, 4x4: {exact} of {len(findings.limits)} equal within two packets of the "
        "window. The others:\n",
        _table(
            ("curve", "BookSim2", "as fraction", "ours"),
            (
                (str(limit.key), f"{limit.reference:.4f}", limit.fraction, f"{limit.ours:.4f}")
                for limit in findings.limits
                if not limit.holds
            ),
        ),
        "### Latency under load\n",
        "Relative error of mean packet latency, over all curves. Load is the share of "
        "saturation: the reference's last stable rate, or all that it accepts.\n",
        _load_table(findings.curves),
        _saturation_text(findings.curves),
        _curve_table(findings.curves),
        "### Points of the router model outside 5 % below half of saturation, 10 % up to 80 %\n",
        _outside_table(findings.curves),
    ]


def _load_table(curves: Sequence[CurveResult]) -> str:
    rows = []
    models: tuple[Model, ...] = ("router", "packet")
    for model in models:
        for low, high in LOADS:
            errors = Errors.of(errors_between(curves, model, low, high))
            rows.append(
                (
                    model,
                    f"{low:.0%} to {high:.0%}",
                    str(errors.points),
                    _percent(errors.median),
                    _percent(errors.p90),
                    _percent(errors.largest),
                )
            )
    return _table(("model", "load", "points", "median", "p90", "largest"), rows)


def _saturation_text(curves: Sequence[CurveResult]) -> str:
    errors = Errors.of([curve.saturation_error for curve in curves])
    trusted = sorted(curve.packet_trusted(0.10) for curve in curves)
    return (
        f"Largest accepted rate of the router model: median error {_percent(errors.median)}, "
        f"largest {_percent(errors.largest)} over {errors.points} curves. The packet model has no "
        "finite buffers and no virtual channels: it never saturates before a link is full. It "
        "stays within 10 % up to "
        f"{_percent(trusted[len(trusted) // 2], 0)} of saturation on half of the curves, "
        f"{_percent(trusted[len(trusted) // 10], 0)} on nine of ten.\n"
    )


def _curve_table(curves: Sequence[CurveResult]) -> str:
    rows = []
    for curve in curves:
        cells = [str(curve.key), f"{curve.saturation:.4f}", f"{curve.ours:.4f}"]
        cells.append(_percent(curve.saturation_error))
        for low, high in LOADS:
            errors = Errors.of(errors_between([curve], "router", low, high))
            cells.append(_percent(errors.largest) if errors.points else "-")
        cells.append(_percent(curve.packet_trusted(0.10), 0))
        rows.append(cells)
    return _table(
        (
            "curve",
            "accepted, BookSim2",
            "ours",
            "error",
            *(f"largest latency error, {low:.0%}-{high:.0%}" for low, high in LOADS),
            "packet model within 10 % up to",
        ),
        rows,
    )


def _outside_table(curves: Sequence[CurveResult]) -> str:
    rows = [
        (
            str(curve.key),
            f"{point.task.rate:g}",
            _percent(point.task.share, 0),
            f"{point.task.reference:.1f}",
            f"{point.latency:.1f}",
            _percent(point.error),
        )
        for (low, high), tolerance in zip(LOADS, TOLERANCES, strict=False)
        for curve in curves
        for point in curve.router
        if low <= point.task.share < high and abs(point.error) > tolerance
    ]
    if not rows:
        return "None.\n"
    return _table(("curve", "offered", "load", "BookSim2, cycles", "ours", "error"), rows)


def _dram(findings: Findings) -> list[str]:
    return [
        "### Closed forms, DDR4-2400\n",
        _table(
            ("figure", "expected", "ours", "error"),
            (
                (
                    form.what,
                    f"{form.expected:.2f} {form.unit}",
                    f"{form.ours:.2f}",
                    _percent(form.error, 2),
                )
                for form in findings.closed
            ),
        ),
        "### Against the band of three simulators, DDR4-2400\n",
        "Bandwidth within 5 % of the band; read latency within 10 % below saturation, 5 % where "
        "no queue or write policy plays a part. Saturated latency measures the depth of the "
        "queues and is not judged.\n",
        _band_table(findings.bands),
        "Points outside:\n",
        _band_outside(findings.bands),
        "### Against DRAMsim3 alone: closed pages, HBM2\n",
        "One simulator, so the band is a line; its queues are deeper (up to 104 requests) and it "
        "acknowledges a write a cycle after acceptance, so saturated points and windows with "
        "writes measure its queues.\n",
        _band_table(findings.single),
        "Points outside:\n",
        _band_outside(findings.single),
        _energy(findings),
    ]


def _band_table(points: Sequence[BandPoint]) -> str:
    rows = []
    for config in dict.fromkeys(point.config for point in points):
        mine = [point for point in points if point.config == config]
        judged = [point for point in mine if point.latency_excess is not None]
        free = [point for point in mine if point.policy_free]
        rows.append(
            (
                config,
                f"{sum(p.bandwidth_ok for p in mine)} of {len(mine)}",
                f"{sum(p.latency_ok for p in judged)} of {len(judged)}",
                f"{sum(p.bandwidth_ok and p.latency_ok for p in free)} of {len(free)}",
            )
        )
    return _table(
        ("configuration", "bandwidth inside", "latency inside", "policy-free inside"), rows
    )


def _band_outside(points: Sequence[BandPoint]) -> str:
    rows = [
        (
            point.name,
            "{:.2f} - {:.2f}".format(*point.bandwidth_band),
            f"{point.bandwidth:.2f}",
            _percent(point.bandwidth_excess),
            "-" if point.latency_excess is None else _percent(point.latency_excess),
        )
        for point in points
        if not (point.bandwidth_ok and point.latency_ok)
    ]
    if not rows:
        return "None.\n"
    return _table(
        ("point", "simulators, GB/s", "ours", "bandwidth outside by", "latency outside by"), rows
    )


def _energy(findings: Findings) -> str:
    rows = []
    points = [*findings.bands, *findings.single]
    for config in dict.fromkeys(point.config for point in points):
        errors = Errors.of(
            [
                point.energy_uj / point.energy_reference_uj - 1
                for point in points
                if point.config == config and _comparable_energy(point)
                if point.energy_uj is not None and point.energy_reference_uj is not None
            ]
        )
        cells = (errors.median, errors.p90, errors.largest)
        rows.append((config, str(errors.points), *map(_percent, cells)))
    return (
        "### Energy\n\nTotal energy from our command counts and the device's supply currents "
        "(`dram.energy: currents`) against what DRAMsim3 logs, below saturation, where both move "
        "the same bandwidth; windows with writes left out. Background is charged as if a bank "
        "were open at all times but in refreshes: too much for closed pages at low load.\n\n"
        + _table(("configuration", "points", "median", "p90", "largest"), rows)
    )


def _comparable_energy(point: BandPoint) -> bool:
    """Whether both controllers did the same work in the same time."""
    writes = point.trace.endswith(("_wr", "_mix")) or point.trace.startswith("mix21")
    same_load = not point.saturated and abs(point.bandwidth_excess) <= 0.02
    return same_load and not (writes and point.mode.startswith("win:"))
