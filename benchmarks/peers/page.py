"""The tables of other simulators on docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.peers.works import MODES, MULTIPLIED, PROFILED, SPIKING
from benchmarks.rows import Figures, Medians, mib, rate, rounded
from tlm.validation.markdown import table

OURS = {"compiled": "tlm, compiled kernel", "simpy": "tlm, SimPy kernel"}
PARTS_OF_TIME = {
    "work_cpu_s": "simulating",
    "built_cpu_s": "with load and build",
    "cpu_s": "whole process",
}


@dataclass(frozen=True)
class Comparison:
    """A peer on one work beside ours: how many times the CPU-seconds it takes, by part of time."""

    peer: str
    job: str
    ratios: Mapping[str, float]


def comparisons(measured: Medians) -> list[Comparison]:
    """Every peer that was measured, beside the compiled kernel."""
    peers = [(f"synapses {job}", f"SANA-FE, {mode}") for job in SPIKING for mode in MODES]
    peers += [(f"products {job}", "SCALE-Sim") for job in MULTIPLIED]
    peers.append((f"profile {PROFILED}", "NeuroMC profiler"))
    return [
        Comparison(peer, work.split()[1], {
            part: measured[work, peer][part] / measured[work, "compiled"][part]
            for part in PARTS_OF_TIME
        })
        for work, peer in peers
        if (work, peer) in measured and (work, "compiled") in measured
    ]  # fmt: skip


def sections(measured: Medians) -> Mapping[str, Iterator[str]]:
    """The text of each section, by its name."""
    return {
        "sanafe": _section(measured, "synaptic operations", (f"synapses {job}" for job in SPIKING)),
        "scalesim": _section(
            measured, "multiply-accumulates", (f"products {job}" for job in MULTIPLIED)
        ),
        "neuromc": _section(measured, "multiply-accumulates", [f"profile {PROFILED}"]),
        "skeleton": _skeleton(measured),
        "ratios": _ratios(measured),
    }


def _section(measured: Medians, unit: str, works: Iterable[str]) -> Iterator[str]:
    head = ("job", "program", unit, *(f"{part}, CPU-s" for part in PARTS_OF_TIME.values()),
            f"{unit} per CPU-s of simulating", "wall, s", "peak memory")  # fmt: skip
    rows = [
        (f"`{work.split()[1]}`", OURS.get(program, program), f"{run['amount']:,.0f}",
         *(f"{run[part]:.{4 if part == 'work_cpu_s' else 2}f}" for part in PARTS_OF_TIME),
         f"{rounded(rate(run)):,}", f"{run['wall_s']:.1f}", mib(run))
        for work in works
        for program, run in _programs(measured, work)
    ]  # fmt: skip
    yield table(head, rows) if rows else "Not measured.\n"


def _programs(measured: Medians, work: str) -> list[tuple[str, Figures]]:
    """Programs of a work: peers first, then ours."""
    programs = [(name, run) for (its, name), run in measured.items() if its == work]
    return sorted(programs, key=lambda program: program[0] in OURS)


def _skeleton(measured: Medians) -> Iterator[str]:
    programs = {**OURS, "SystemC": "SystemC TLM 2.0, g++ -O2"}
    rows = [
        (text, trace, f"{run['amount']:,.0f}", f"{run['work_cpu_s']:.2f}",
         f"{rounded(rate(run)):,}", f"{run['wall_s']:.1f}", mib(run))
        for work, trace in (("skeleton", "off"), ("skeleton traced", "transaction"))
        for name, text in programs.items()
        if (run := measured.get((work, name))) is not None
    ]  # fmt: skip
    head = ("program", "trace", "packets", "simulation, CPU-s", "packets per CPU-s", "wall, s",
            "peak memory")  # fmt: skip
    yield table(head, rows) if rows else "Not measured.\n"


def _ratios(measured: Medians) -> Iterator[str]:
    rows = [
        (of.peer, f"`{of.job}`", *(_times(of.ratios[part]) for part in PARTS_OF_TIME))
        for of in comparisons(measured)
    ]
    if not rows:
        yield "Not measured.\n"
        return
    yield "CPU-seconds of the peer over those of the compiled kernel:\n"
    yield table(("peer", "job", *PARTS_OF_TIME.values()), rows)
    yield "![peers](figures/benchmark-peers.png)\n"


def _times(ratio: float) -> str:
    """A ratio, to three digits."""
    return f"{ratio:.1f} x" if ratio < 100 else f"{rounded(ratio):,} x"
