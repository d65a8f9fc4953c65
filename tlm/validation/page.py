"""The text of docs/validation.md."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tlm.hardware.noc.driver import Model
from tlm.hardware.noc.packet_error import PACKET_ERRORS, TOLERANCE
from tlm.validation.dram_page import DramFindings, dram_sections
from tlm.validation.markdown import percent, table
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
- DRAMSys' buffer per bank (8 deep), DRAMsim3's rule that a row is kept for four hits;
- an activate of two parts (LPDDR5) with other commands between the two;
- two pseudo-channels of HBM behind one command bus;
- supply currents of LPDDR4-3200, LPDDR5 and HBM2E, which nobody publishes in a form we could
  cite.
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the page reports."""

    mismatches: list[tuple[int, int, int, int]]  # side, flits, pairs tested, pairs off
    limits: list[Limit]
    curves: list[CurveResult]
    dram: DramFindings


def page(findings: Findings, figures: Sequence[str]) -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, "## Network\n", *_network(findings)]
    parts += [f"![{name}](figures/{name}.png)\n" for name in figures if name.startswith("noc")]
    parts += ["## DRAM\n", *dram_sections(findings.dram)]
    parts += [f"![{name}](figures/{name}.png)\n" for name in figures if name.startswith("dram")]
    parts.append(_NOT_MODELLED)
    return "\n".join(parts)


def kept_studies(text: str) -> str:
    """The sections of a page that studies put between their marks: they stay as they are."""
    kept = _STUDY.findall(text)
    return "".join(f"\n{section}\n" for section in kept)


def _network(findings: Findings) -> list[str]:
    exact = sum(limit.holds for limit in findings.limits)
    return [
        "### Zero load\n",
        "Latency of every pair of nodes, one packet in an empty mesh, against "
        "(h + 1)(P + 1) + L + 1 cycles.\n",
        table(
            ("mesh", "flits", "pairs (three routers)", "pairs that differ"),
            (
                (f"{k}x{k}", str(flits), str(pairs), str(off))
                for k, flits, pairs, off in findings.mismatches
            ),
        ),
        "### What one virtual channel carries\n",
        f"Offered load 1, 4x4: {exact} of {len(findings.limits)} equal within two packets of the "
        "window. The others:\n",
        table(
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
        _use_text(findings.curves),
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
                    percent(errors.median),
                    percent(errors.p90),
                    percent(errors.largest),
                )
            )
    return table(("model", "load", "points", "median", "p90", "largest"), rows)


def _use_text(curves: Sequence[CurveResult]) -> str:
    """The error of the packet model as :data:`PACKET_ERRORS` holds it."""
    rows = []
    for row, after in pairwise([*PACKET_ERRORS, None]):
        assert row is not None
        high = after.use if after and after.vcs == row.vcs else math.inf
        errors = Errors.of(
            [
                point.error
                for curve in curves
                for point in curve.packet
                if curve.key.vcs == row.vcs
                and row.use <= point.use < high
                and point.task.share < LOADS[-1][1]
            ]
        )
        upwards = "or more" if high == math.inf else f"to {high:.0%}"
        rows.append(
            (
                str(row.vcs),
                f"{row.use:.0%} {upwards}",
                str(errors.points),
                percent(errors.median),
                percent(errors.p90),
                percent(errors.largest),
            )
        )
    return (
        "Latency of the packet model by busiest link: the share of time for which the traffic asks "
        "for its busiest link or port, at the same points. A run whose links are busier than where "
        f"one point in ten misses by {percent(TOLERANCE, 0)} says so.\n\n"
    ) + table(("virtual channels", "busiest link", "points", "median", "p90", "largest"), rows)


def _saturation_text(curves: Sequence[CurveResult]) -> str:
    errors = Errors.of([curve.saturation_error for curve in curves])
    trusted = sorted(curve.packet_trusted(TOLERANCE) for curve in curves)
    return (
        f"Largest accepted rate of the router model: median error {percent(errors.median)}, "
        f"largest {percent(errors.largest)} over {errors.points} curves. The packet model has no "
        "finite buffers and no virtual channels: it never saturates before a link is full. It "
        "stays within 10 % up to "
        f"{percent(trusted[len(trusted) // 2], 0)} of saturation on half of the curves, "
        f"{percent(trusted[len(trusted) // 10], 0)} on nine of ten.\n"
    )


def _curve_table(curves: Sequence[CurveResult]) -> str:
    rows = []
    for curve in curves:
        cells = [str(curve.key), f"{curve.saturation:.4f}", f"{curve.ours:.4f}"]
        cells.append(percent(curve.saturation_error))
        for low, high in LOADS:
            errors = Errors.of(errors_between([curve], "router", low, high))
            cells.append(percent(errors.largest) if errors.points else "-")
        cells.append(percent(curve.packet_trusted(TOLERANCE), 0))
        rows.append(cells)
    return table(
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
            percent(point.task.share, 0),
            f"{point.task.reference:.1f}",
            f"{point.latency:.1f}",
            percent(point.error),
        )
        for (low, high), tolerance in zip(LOADS, TOLERANCES, strict=False)
        for curve in curves
        for point in curve.router
        if low <= point.task.share < high and abs(point.error) > tolerance
    ]
    if not rows:
        return "None.\n"
    return table(("curve", "offered", "load", "BookSim2, cycles", "ours", "error"), rows)
