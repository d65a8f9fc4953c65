"""The parts of ``gpu-baseline.md`` that stand the chip beside the GPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tlm_analysis.gpu.baseline import network_baseline
from tlm_analysis.gpu.comparison.chip_run import ChipRun, Kind, counted_dram_nbytes
from tlm_analysis.gpu.comparison.compare import BASELINES, CLAIM, Comparison
from tlm_analysis.gpu.comparison.sweep import DensitySweep
from tlm_analysis.gpu.device.devices import A100
from tlm_analysis.gpu.step.recorded import network_named

_MB = 1e6


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def claim_table(compared: Sequence[Comparison]) -> str:
    """DRAM bytes of GPU and chip under every baseline, one row per network."""
    by_network: dict[str, list[Comparison]] = {}
    for comparison in compared:
        by_network.setdefault(comparison.network, []).append(comparison)
    rows = [
        (name, these[0].chip_by, _chip_mb(these[0]), *(_cell(comparison) for comparison in these))
        for name, these in by_network.items()
    ]
    baselines = (f"{neuron} {precision}" for neuron, precision in BASELINES)
    return table(("network", "chip's activity", "chip MB", *baselines), rows)


def _chip_mb(comparison: Comparison) -> str:
    least, most = comparison.chip_nbytes.least / _MB, comparison.chip_nbytes.most / _MB
    return f"{least:,.1f}" if least == most else f"{least:,.0f} to {most:,.0f}"


def _cell(comparison: Comparison) -> str:
    moved = f"{comparison.gpu.dram_nbytes / _MB:,.1f}"
    return (
        f"{moved}: {_saved(comparison)} ({comparison.verdict})"
        if comparison.reduction
        else f"{moved} (fits in L2)"
    )


def _saved(comparison: Comparison) -> str:
    assert comparison.reduction is not None
    least, most = comparison.reduction
    return f"{least:.0%}" if least == most else f"{least:.0%} to {most:.0%}"


def count_check(runs: Sequence[ChipRun]) -> str:
    """How far a count by element is from what sparse runs moved: the error of counted rows."""
    ratios = {}
    for run in runs:
        if run.kind == "sparse":
            count = counted_dram_nbytes(run.same_job(network_named(run.workload)))
            ratios[run.workload] = run.dram_nbytes / count.value
    if not ratios:
        return "No run was given to hold the count against."
    each = ", ".join(f"{name} {ratio:.2f}" for name, ratio in sorted(ratios.items()))
    return (
        f"Bytes simulated, as a share of the middle of a count by element: {each}. Counted rows "
        "carry an error of that size."
    )


def verdict(compared: Sequence[Comparison]) -> str:
    """Under which baseline the claim holds, in words made of the table."""
    lines = []
    for neuron, precision in BASELINES:
        these = [
            comparison
            for comparison in compared
            if (comparison.neuron, comparison.precision) == (neuron, precision)
            and comparison.middle is not None
        ]
        placed = {
            where: [
                f"{case.network} ({case.middle:.0%}{'' if case.simulated else ', counted'})"
                for case in these
                if _place(case) == where
            ]
            for where in ("within", "below", "above")
        }
        words = [
            f"{where} the band: {', '.join(names)}" for where, names in placed.items() if names
        ]
        lines.append(f"- **{neuron}, {precision}**: {'; '.join(words) or 'nothing to compare'}.")
    lines.append(f"\n{_settled(compared)}")
    outside = sorted(
        {comparison.network for comparison in compared if comparison.reduction is None}
    )
    if outside:
        lines.append(f"\nEverything fits in L2 under one baseline at least: {', '.join(outside)}.")
    return "\n".join(lines)


def _settled(compared: Sequence[Comparison]) -> str:
    """What simulation settles: for how many of the networks simulated each baseline fits."""
    settled: dict[str, list[str]] = {}
    for neuron, precision in BASELINES:
        places = [
            _place(comparison) == "within"
            for comparison in compared
            if (comparison.neuron, comparison.precision) == (neuron, precision)
            and comparison.simulated
            and comparison.middle is not None
        ]
        answer = f"holds for {sum(places)} of {len(places)}" if places else "is open"
        settled.setdefault(answer, []).append(f"{neuron} {precision}")
    words = [f"{answer} under {', '.join(names)}" for answer, names in settled.items()]
    return (
        f"**Of the networks simulated that are larger than L2 the claim {'; '.join(words)}** "
        "(open: there is none). What is only counted settles nothing: the error of the count can "
        "take it to either side of the band."
    )


def _place(comparison: Comparison) -> str:
    assert comparison.middle is not None
    if comparison.middle < CLAIM[0]:
        return "below"
    return "above" if comparison.middle > CLAIM[1] else "within"


_ORDER: tuple[Kind, ...] = ("sparse", "dense", "ann")


def chip_table(runs: Sequence[ChipRun]) -> str:
    """Time and energy of an iteration: the A100 as a range, and every run of the chip.

    Runs with an ideal memory or network are left out.
    """
    rows, timed = [], [run for run in runs if not run.ideal]
    for name in dict.fromkeys(run.workload for run in timed):
        by_kind = {run.kind: run for run in timed if run.workload == name}
        network = next(iter(by_kind.values())).same_job(network_named(name))
        gpu = network_baseline(network, A100)
        shortest, longest = gpu.time_s_range
        low, high = gpu.energy_j_range
        rows.append(
            (
                f"{name} B={network.batch} T={network.steps}",
                f"{_us(gpu.time_s)} ({_us(shortest)} to {_us(longest)})",
                f"{_mj(low)} to {_mj(high)}",
                *(
                    f"{_us(by_kind[k].time_s)}, {_mj(by_kind[k].energy_j)}" if k in by_kind else ""
                    for k in _ORDER
                ),
                _ratio(shortest, longest, by_kind["sparse"].time_s) if "sparse" in by_kind else "",
                _ratio(low, high, by_kind["sparse"].energy_j) if "sparse" in by_kind else "",
            )
        )
    chip = (f"chip {kind}: us, mJ" for kind in _ORDER)
    return table(("job", "A100 us", "A100 mJ", *chip, "time A100/sparse", "energy"), rows)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}"


def _mj(joules: float) -> str:
    return f"{joules * 1e3:,.3g}" if joules < 1 else f"{joules * 1e3:,.0f}"


def _ratio(least: float, most: float, chip: float) -> str:
    return f"{least / chip:.2g} to {most / chip:.2g} x"


def break_even_table(sweeps: Sequence[DensitySweep]) -> str:
    """Densities at which sparse execution takes the time and energy of dense and of ANN runs."""
    if not sweeps:
        return "No sweep over activity was given."
    rows = []
    for sweep in sweeps:
        against = [
            f"{density:.1%}" if isinstance(density, float) else density
            for density in (
                sweep.time_even("dense"),
                sweep.energy_even("dense"),
                sweep.time_even("ann"),
                sweep.energy_even("ann"),
            )
        ]
        low, high = sweep.drawn[0][0], sweep.drawn[-1][0]
        rows.append((sweep.workload, f"{low:.1%} to {high:.0%}", *against))
    return table(
        ("job", "densities drawn", "dense: time", "dense: energy", "ANN: time", "ANN: energy"), rows
    )
