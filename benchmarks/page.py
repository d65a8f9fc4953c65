"""Writes the measured sections of docs/performance.md, from docs/studies/benchmarks.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp, log
from statistics import linear_regression

from benchmarks.figure import GROWTH, draw_growth, draw_peers
from benchmarks.machine import machine
from benchmarks.peers.page import comparisons
from benchmarks.peers.page import sections as peer_sections
from benchmarks.rows import Figures, Medians, medians, mib, rate, rounded
from benchmarks.works import GIANTS, GROWING, JOBS, KERNELS, LARGE, PAYLOADS, TRACES
from tests.evidence.page import DOCS, replace_section
from tlm.validation.markdown import table

PAGE = DOCS / "performance.md"


def write() -> None:
    """Every section, and both figures."""
    measured = medians()
    sections = {"machine": [machine_text()], "runs": _runs(measured), "giant": _giant(measured),
                "growth": _growth(measured), "parts": _parts(measured),
                **peer_sections(measured), "training": _training(measured)}  # fmt: skip
    for name, lines in sections.items():
        replace_section(PAGE, f"benchmark {name}", "\n".join(lines))
    draw_growth(growth_points(measured))
    draw_peers(comparisons(measured))


def machine_text() -> str:
    """Where and how it was measured."""
    return (
        f"Measured on {machine()}. CPU-seconds bear other work on the machine better than wall "
        "time does, and a ratio within a table bears it best.\n"
    )


def _runs(measured: Medians) -> Iterator[str]:
    head = ("job", "kernel", "trace", "transactions", "whole run, CPU-s", "wall, s",
            "simulation alone, CPU-s", "transactions per CPU-s of it", "peak memory")  # fmt: skip
    kinds = [(job, f"{kernel}, {trace}") for job in JOBS for kernel in KERNELS for trace in TRACES]
    kinds.append((LARGE, "compiled, off"))
    lines = []
    for job, program in kinds:
        figures = measured.get((job, program))
        if figures is not None:
            lines.append((
                f"`{job}`", *program.split(", "), f"{figures['amount']:,.0f}",
                f"{figures['cpu_s']:.2f}", f"{figures['wall_s']:.1f}",
                f"{figures['work_cpu_s']:.3f}", f"{rounded(rate(figures)):,}",
                mib(figures),
            ))  # fmt: skip
    yield table(head, lines)
    yield "The compiled kernel's simulation against SimPy's, CPU time alone:\n"
    yield table(("job", *(f"trace {trace}" for trace in TRACES), "whole run, trace off"), (
        (f"`{job}`", *(f"{_ratio(measured, job, trace, 'work_cpu_s'):.1f} x" for trace in TRACES),
         f"{_ratio(measured, job, 'off', 'cpu_s'):.2f} x") for job in JOBS
    ))  # fmt: skip


def _ratio(measured: Medians, job: str, trace: str, figure: str) -> float:
    slow, fast = (measured[job, f"{kernel}, {trace}"][figure] for kernel in KERNELS)
    return slow / fast


def _giant(measured: Medians) -> Iterator[str]:
    head = ("job", "transactions", "whole run, CPU-s", "wall, s", "simulation alone, CPU-s",
            "transactions per CPU-s of it", "peak memory")  # fmt: skip
    rows = [
        (f"`{job}`", f"{run['amount']:,.0f}", f"{run['cpu_s']:,.0f}", f"{run['wall_s']:,.0f}",
         f"{run['work_cpu_s']:,.0f}", f"{rounded(rate(run)):,}", mib(run))
        for job in GIANTS
        if (run := measured.get((job, "compiled, router"))) is not None
    ]  # fmt: skip
    yield table(head, rows) if rows else "Not measured.\n"


def growth_points(measured: Medians) -> Mapping[str, Sequence[Figures]]:
    """Measured runs of the growing job by trace, from few transactions to many."""
    return {
        trace: [
            measured[f"growth {payload}", trace]
            for payload in PAYLOADS
            if (f"growth {payload}", trace) in measured
        ]
        for trace in TRACES
    }


def _growth(measured: Medians) -> Iterator[str]:
    points = growth_points(measured)
    head = ("payload", "transactions", *(f"CPU-s, trace {trace}" for trace in TRACES),
            *(f"peak memory, trace {trace}" for trace in TRACES))  # fmt: skip
    lines = []
    for payload, off, traced in zip(PAYLOADS, *points.values(), strict=False):
        pair = (off, traced)
        lines.append((
            payload, f"{off['amount']:,.0f}", *(f"{run['work_cpu_s']:.2f}" for run in pair),
            *map(mib, pair),
        ))  # fmt: skip
    yield (
        f"`{GROWING}` on the compiled kernel, in ever smaller packets (`noc.payload` and "
        "`dram.interleave`); CPU time of the simulation alone:\n"
    )
    yield table(head, lines)
    for trace, runs in points.items():
        exponent, microseconds = fit(runs)
        yield (
            f"- trace {trace}: CPU time grows with the power {exponent:.2f} of the transactions "
            f"(least squares in logarithms); {microseconds:.2f} us a transaction in the "
            "largest run."
        )
    yield f"\n![growth](figures/{GROWTH.name})\n"


def fit(runs: Sequence[Figures]) -> tuple[float, float]:
    """Exponent of CPU time over transactions, and us a transaction in the largest run."""
    x = [log(run["amount"]) for run in runs]
    y = [log(run["work_cpu_s"]) for run in runs]
    return linear_regression(x, y).slope, 1e6 * exp(y[-1] - x[-1])


_PARTS = {
    "dram rand_rd": ("DRAM channel, random reads of one burst", "requests"),
    "dram seq_rd": ("DRAM channel, streaming reads of 256 B", "requests"),
    "mesh": ("8 x 8 routers, uniform, half of the load they bear", "packets"),
}


def _parts(measured: Medians) -> Iterator[str]:
    lines = []
    for work, (text, unit) in _PARTS.items():
        if (work, "compiled") in measured:
            slow, fast = (rate(measured[work, kernel]) for kernel in KERNELS)
            lines.append((text, unit, f"{rounded(slow):,}", f"{rounded(fast):,}",
                          f"{fast / slow:.0f} x"))  # fmt: skip
        else:
            lines.append((text, unit, "not measured", "not measured", "-"))
    yield table(("part", "unit", "SimPy, per CPU-s", "compiled, per CPU-s", "ratio"), lines)


def _training(measured: Medians) -> Iterator[str]:
    step, run = measured.get(("training", "PyTorch")), measured.get((LARGE, "compiled, off"))
    if step is None or run is None:
        yield "Not measured.\n"
        return
    yield table(("program", "CPU-s", "peak memory"), (
        ("PyTorch, one step in FP32 on one core", f"{step['work_cpu_s']:.1f}", mib(step)),
        ("tlm, whole run, trace off", f"{run['cpu_s']:.1f}", mib(run)),
        ("of it the simulation", f"{run['work_cpu_s']:.1f}", "-"),
    ))  # fmt: skip
