"""Section "Modes and policies": what each way of skipping buys on every bundled job.

``python -m tests.evidence.modes [--only JOB ...] [--ends] [--page]`` runs the jobs, updates
``docs/studies/modes.csv``, and writes section and figure from the whole file.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from tlm_analysis.plots.fabric import write_png
from tlm_analysis.plots.study import Bars, bars_figure

from tests.evidence.page import (
    DOCS,
    STUDIES,
    read_csv,
    replace_section,
    simulate,
    update_csv,
)
from tlm.config import EnergyTable, load_chip
from tlm.config.chip import Mapping
from tlm.config.core import EngineConfig
from tlm.errors import MappingError
from tlm.running.preparation import NOTHING_SKIPPED
from tlm.validation.markdown import table
from tlm.workload import bundled_names, open_workload

RESULTS = DOCS / "studies" / "modes.csv"
SPARSE_MODES = tuple(
    m for m in get_args(EngineConfig.model_fields["mode"].annotation) if m != "dense"
)
# Cumulative: which zeros are looked for, beside slices of a zero gradient (all but the first two).
POLICIES = {
    "S": {"skip_spikes"},
    "S+dU": {"skip_spikes", "skip_gradients"},
    "S+dU+mask": {"skip_spikes", "skip_gradients", "skip_outputs"},
}
ENDS = ("none", "S+dU+mask")
ENGINE_POLICIES = {
    "fp": ("skip_spikes",),
    "bp": ("skip_gradients", "skip_outputs"),
    "wg": ("skip_spikes", "skip_gradients"),
}
RATIOS = ("time_us", "energy_uj", "core_uj", "other_uj")
PAYS = 0.98  # less than 2 % of time and energy saved counts as nothing


OTHER_TABLE = load_chip("neuromc-20", ["energy=cacti28"]).energy


@dataclass(frozen=True)
class Variant:
    """One way to run a job."""

    mode: str
    policy: str
    batch_norm: str
    overrides: tuple[str, ...]


def variants(norms: tuple[str, ...]) -> Iterator[Variant]:
    """Dense, slices alone, then every mode and policy; with each treatment of BN."""
    for norm in norms:
        extra = (f"mapping.batch_norm={norm}",) if norm != "-" else ()
        yield Variant("dense", "none", norm, (*NOTHING_SKIPPED, *extra))
        yield Variant("dense", "slices", norm, (*NOTHING_SKIPPED[:-1], *extra))
        for mode in SPARSE_MODES:
            for policy, wanted in POLICIES.items():
                yield Variant(mode, policy, norm, (*_engines(mode, wanted), *extra))


def _engines(mode: str, wanted: set[str]) -> Iterator[str]:
    """Overrides: an engine with nothing to look for is dense."""
    for engine, known in ENGINE_POLICIES.items():
        some = any(policy in wanted for policy in known)
        yield f"core.engines.{engine}.mode={mode if some else 'dense'}"
        for policy in known:
            yield f"core.engines.{engine}.{policy}={str(policy in wanted).lower()}"


def norms_of(job: str) -> tuple[str, ...]:
    """How BN may be treated: not at all without it."""
    field = Mapping.model_fields.get("batch_norm")
    if field is None or all(layer.norm is None for layer in open_workload(job).layers):
        return ("-",)
    return tuple(get_args(field.annotation))


def measure(job: str, ends: bool = False) -> Iterator[dict[str, object]]:
    """One row a variant of a job; of the policies only none and all, if ``ends``."""
    for variant in variants(norms_of(job)):
        if ends and variant.policy not in ENDS:
            continue
        summary, energy = simulate(job, overrides=variant.overrides)
        engines = summary.engines
        slowest = max(engines, key=lambda kind: engines[kind].busiest)
        resource = summary.busiest[0]
        yield {
            "job": job,
            "batch_norm": variant.batch_norm,
            "mode": variant.mode,
            "policy": variant.policy,
            "time_us": summary.time.makespan_ps / 1e6,
            "energy_uj": summary.energy.total_pj / 1e6,
            "core_uj": summary.efficiency.core_pj / 1e6,
            "other_uj": priced(energy, OTHER_TABLE) / 1e6,
            "engine": slowest,
            "engine_busy": engines[slowest].busiest,
            "resource": resource.resource,
            "resource_busy": resource.use,
        }


def priced(rows: list[dict[str, str]], energies: EnergyTable) -> float:
    """Energy in pJ of the counts of a run's ``energy.csv`` at another table's prices."""
    return math.fsum(
        int(row["count"])
        * (
            energies.leakage[row["component"]].power_w
            if row["action"] == "leakage"
            else energies.pj(row["component"], row["action"])
        )
        for row in rows
    )


Row = dict[str, str]


def section(rows: list[Row]) -> str:
    """The text of the section."""
    parts = [
        "## Modes and policies\n",
        "Every bundled job on `neuromc-20` (last recorded iteration). Policies are cumulative: "
        "slices (a step and sample without any gradient is left out), S (zero spikes), dU (zero "
        "gradients), mask (outputs whose surrogate is zero). Speed-up and energy are relative to "
        "`dense` of the same job and treatment of BN. Engine: the one whose busiest instance "
        "computes longest, with its share of the time; where that is far below 100 %, the "
        "resource in the last column says more. Energy is that of table `neuromc`; one column "
        "prices the same counts by `cacti28`.\n",
        _in_words(rows),
    ]
    head = ("job", "BN", "mode", "policy", "time, us", "speed-up", "energy, uJ", "energy ratio",
            "core energy ratio", "energy ratio, cacti28", "engine", "busiest resource")  # fmt: skip
    lines = []
    for row, dense in _with_dense(rows):
        ratio = [float(row[key]) / float(dense[key]) for key in RATIOS]
        lines.append(
            (
                *(row[key] for key in ("job", "batch_norm", "mode", "policy")),
                f"{float(row['time_us']):,.1f}",
                f"{1 / ratio[0]:.2f}",
                f"{float(row['energy_uj']):,.0f}",
                f"{ratio[1]:.2f}",
                f"{ratio[2]:.2f}",
                f"{ratio[3]:.2f}",
                f"{row['engine'].upper()} {float(row['engine_busy']):.0%}",
                f"{row['resource']} {float(row['resource_busy']):.0%}",
            )
        )
    parts += [table(head, lines), "![modes](figures/modes.png)\n"]
    parts += ["### What batch normalisation does\n", _norms(rows)]
    parts += ["### Where skipping does not pay\n", _losses(rows)]
    return "\n".join(parts)


def _in_words(rows: list[Row]) -> str:
    """Least and largest speed-up of every mode with all policies."""
    parts = []
    for mode in SPARSE_MODES:
        ends = sorted(
            (float(dense["time_us"]) / float(row["time_us"]), row["job"])
            for row, dense in _with_dense(rows)
            if row["mode"] == mode and row["policy"] == ENDS[1]
        )
        if ends:
            (least, job), (most, other) = ends[0], ends[-1]
            parts.append(f"mode `{mode}` is {least:.2f} ({job}) to {most:.2f} ({other})")
    return f"With all policies {' and '.join(parts)} times as fast as `dense`.\n" if parts else ""


def _with_dense(rows: list[Row]) -> Iterator[tuple[Row, Row]]:
    dense = {(r["job"], r["batch_norm"]): r for r in rows if r["policy"] == "none"}
    order = {name: i for i, name in enumerate(("none", "slices", *POLICIES))}
    modes = ("dense", *SPARSE_MODES)
    for row in sorted(
        rows,
        key=lambda r: (r["job"], r["batch_norm"], modes.index(r["mode"]), order[r["policy"]]),
    ):
        yield row, dense[row["job"], row["batch_norm"]]


def _norms(rows: list[Row]) -> str:
    """Time and energy of each treatment of BN over those of folded weights."""
    folded = {
        (row["job"], row["mode"], row["policy"]): row
        for row in rows
        if row["batch_norm"] == "folded"
    }
    lines = []
    for row, _ in _with_dense(rows):
        base = folded.get((row["job"], row["mode"], row["policy"]))
        if base is not None and row["batch_norm"] != "folded" and row["policy"] in ENDS:
            time = float(row["time_us"]) / float(base["time_us"])
            energy = float(row["energy_uj"]) / float(base["energy_uj"])
            where = (row["job"], row["mode"], row["policy"], row["batch_norm"])
            lines.append((*where, f"{time - 1:+.0%}", f"{energy - 1:+.0%}"))
    text = (
        "Against weights that BN was folded into. Batch statistics (`exact`) leave no zero in dY: "
        "BP and WG cannot skip a gradient, no slice is empty, and the whole batch waits for them "
        "twice.\n\n"
    )
    return text + table(("job", "mode", "policy", "BN", "time", "energy"), lines)


def _losses(rows: list[Row]) -> str:
    """Every step of a mode's policies that saves less than 2 % of time and of energy."""
    lines = []
    before: Row | None = None
    for row, dense in _with_dense(rows):
        if before is None or row["policy"] == "none":
            before = row
            continue
        base = before if before["mode"] == row["mode"] else dense
        time = float(row["time_us"]) / float(base["time_us"])
        energy = float(row["energy_uj"]) / float(base["energy_uj"])
        if time > PAYS and energy > PAYS:
            lines.append(
                (
                    *(row[key] for key in ("job", "batch_norm", "mode")),
                    f"{base['policy']} to {row['policy']}",
                    f"{time - 1:+.1%}",
                    f"{energy - 1:+.1%}",
                    f"{row['resource']} {float(row['resource_busy']):.0%}",
                )
            )
        before = row
    if not lines:
        return "Nowhere.\n"
    words = (
        "`none to slices` costs nothing where no slice is without gradient. Masks cost time where "
        "BP waits for them: what BP reads of m comes from DRAM, a bit an element of the layer "
        "below, however few outputs it then skips.\n\n"
    )
    head = ("job", "BN", "mode", "step", "time", "energy", "busiest resource")
    return words + table(head, lines)


def figure(rows: list[Row]) -> None:
    """Speed-up and energy of every mode with all policies, job by job."""
    series: dict[str, dict[str, tuple[float, float]]] = {}
    for row, dense in _with_dense(rows):
        if row["policy"] in ENDS:
            job = (
                row["job"] if row["batch_norm"] == "-" else f"{row['job']}, BN {row['batch_norm']}"
            )
            time = float(dense["time_us"]) / float(row["time_us"])
            energy = float(row["energy_uj"]) / float(dense["energy_uj"])
            series.setdefault(row["mode"], {})[job] = (time, energy)
    names = list(series["dense"])
    panels = [
        Bars(label, names, {m: [series[m][n][i] for n in names] for m in series if m != "dense"})
        for i, label in enumerate(("speed-up over dense", "energy, share of dense"))
    ]
    write_png(bars_figure("All policies on, against dense", panels), DOCS / "figures" / "modes.png")


def main(arguments: list[str]) -> None:
    """Measure some or all jobs and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=bundled_names("training"), default=bundled_names("training")
    )
    parser.add_argument("--ends", action="store_true", help="only no policy, and all")
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        try:
            update_csv(RESULTS, ("job", "batch_norm", "mode", "policy"), measure(job, asked.ends))
        except MappingError as error:
            print(f"{job}: {error}", file=sys.stderr)
    rows = read_csv(RESULTS)
    replace_section(STUDIES, "modes", section(rows))
    figure(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
