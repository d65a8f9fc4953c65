"""Section "Sensitivity": every assumed constant 20 % down and up; do the rankings hold?

``python -m tests.evidence.sensitivity [--only JOB ...] [--keys KEY ...] [--page]`` updates
``docs/studies/sensitivity.csv`` and writes section and figures from the whole file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tlm_analysis.plots.fabric import write_png
from tlm_analysis.plots.study import Swings, tornado_figure

from tests.evidence.constants import numeric, varied
from tests.evidence.modes import SPARSE_MODES
from tests.evidence.page import (
    DOCS,
    STUDIES,
    read_csv,
    replace_section,
    simulate,
    update_csv,
)
from tlm.config import load_chip, presets
from tlm.errors import ConfigError, MappingError
from tlm.running.preparation import NOTHING_SKIPPED
from tlm.validation.markdown import table

RESULTS = DOCS / "studies" / "sensitivity.csv"
JOBS = ("digits", "mnist-fc")
CHIP = "neuromc-20"
DEFAULT = "mode vector"
TIE = 0.01  # what differs by less is no ranking
SHOWN = 15
ENGINES = ("fp", "bp", "wg")
USUAL = "usual"
SIDES = {"-20 %": 0.8, "+20 %": 1.2}


def subjects() -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is ranked: modes of one chip, and presets; chip and overrides of each."""
    found = {"mode dense": (CHIP, NOTHING_SKIPPED)}
    for mode in SPARSE_MODES:
        found[f"mode {mode}"] = (CHIP, tuple(f"core.engines.{e}.mode={mode}" for e in ENGINES))
    trainable = [name for name in presets() if load_chip(name).energy.array_core is None]
    return found | {f"preset {name}": (name, ()) for name in trainable if name != CHIP}


def measure(job: str, keys: Sequence[str]) -> Iterator[dict[str, object]]:
    """Rows of a job: usual values, each constant of the chip, each of the energy table."""
    for subject, (chip, overrides) in subjects().items():
        summary, energy = simulate(job, chip, overrides)
        time_us = summary.time.makespan_ps / 1e6
        total_uj = summary.energy.total_pj / 1e6
        yield _row(job, USUAL, USUAL, "", subject, time_us, total_uj)
        for name, part_uj in assumed_energies(energy).items():
            for side, factor in SIDES.items():
                scaled = total_uj + (factor - 1) * part_uj
                yield _row(job, name, side, f"x {factor}", subject, time_us, scaled)
        for key in keys:
            for side in SIDES:
                yield from _run(job, key, side, subject, chip, overrides)


def _run(
    job: str, key: str, side: str, subject: str, chip: str, overrides: tuple[str, ...]
) -> Iterator[dict[str, object]]:
    change = varied(chip, key, side.startswith("+"))
    if change is None:
        return
    try:
        summary, _ = simulate(job, chip, (*overrides, change))
    except (ConfigError, MappingError) as error:  # too small for the job, or without effect here
        print(f"{job} {subject} {change}: {error}", file=sys.stderr)
        return
    time_us = summary.time.makespan_ps / 1e6
    total_uj = summary.energy.total_pj / 1e6
    yield _row(job, key, side, change.partition("=")[2], subject, time_us, total_uj)


def _row(
    job: str, constant: str, side: str, value: str, subject: str, time_us: float, energy_uj: float
) -> dict[str, object]:
    return {"job": job, "constant": constant, "side": side, "subject": subject, "value": value,
            "time_us": time_us, "energy_uj": energy_uj}  # fmt: skip


def assumed_energies(rows: list[dict[str, str]]) -> dict[str, float]:
    """Energy in uJ of every assumed coefficient of a run's ``energy.csv``."""
    found: dict[str, float] = {}
    for row in rows:
        if row["confidence"] == "assumed":
            name = f"energy of {row['component']}.{row['action']}"
            found[name] = found.get(name, 0.0) + float(row["total_pj"]) / 1e6
    return found


Row = dict[str, str]
Cases = dict[tuple[str, str], dict[str, Row]]  # (constant, side) to the row of each subject


def flips(usual: dict[str, Row], case: dict[str, Row], key: str, kind: str) -> list[str]:
    """Pairs of one kind that change places, by more than a tie on either side."""
    now = usual | case  # who does not have the constant stays
    names = [name for name in usual if name.startswith(kind)]
    if kind == "preset":
        names.append(DEFAULT)  # the default mode of neuromc-20 is that preset
    found = []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            before = float(usual[one][key]) / float(usual[other][key])
            after = float(now[one][key]) / float(now[other][key])
            if (before - 1) * (after - 1) < 0 and min(abs(before - 1), abs(after - 1)) > TIE:
                shown = CHIP if kind == "preset" and other == DEFAULT else other
                found.append(f"{one} and {shown}")
    return found


def section(rows: list[Row]) -> str:
    """The text of the section."""
    loaded = load_chip(CHIP)
    fixed = [key for key in loaded.assumed if key not in numeric(loaded)]
    parts = [
        "## Sensitivity\n",
        f"Each assumed constant of `{CHIP}` (found from its provenance and from the confidence of "
        "its energy table) 20 % down and up, or to the next legal value beyond. Presets are "
        "varied from their own values. A ranking counts as changed where two that differ by more "
        "than 1 % change places and differ by more than 1 % again. Not varied, because they are "
        f"no numbers: {', '.join(f'`{key}`' for key in fixed)}.\n",
    ]
    for job in dict.fromkeys(row["job"] for row in rows):
        cases: Cases = {}
        for row in rows:
            if row["job"] == job:
                cases.setdefault((row["constant"], row["side"]), {})[row["subject"]] = row
        parts += [f"### {job}\n", *_job(job, cases)]
    return "\n".join(parts)


def _job(job: str, cases: Cases) -> Iterator[str]:
    usual = cases.pop((USUAL, USUAL))
    ranking = {
        what: [
            name for name in sorted(usual, key=lambda one: float(usual[one][key]))
        ]
        for what, key in (("time", "time_us"), ("energy", "energy_uj"))
    }  # fmt: skip
    for what, names in ranking.items():
        yield f"Usual ranking by {what}, best first: {', '.join(names)}.\n"
    swings = _swings(usual, cases)
    head = ("constant", "values", "time", "energy", "rankings that change")
    lines = [
        (name, " / ".join(texts), _pair(time), _pair(energy), "; ".join(changed) or "none")
        for name, texts, time, energy, changed in swings
        if changed or max(abs(x - 1) for x in (*time, *energy)) >= TIE
    ]
    yield table(head, lines)
    quiet = [f"`{name}`" for name, *_ in swings if name not in [line[0] for line in lines]]
    yield f"Less than 1 % in time and energy, no ranking changed: {', '.join(quiet)}.\n"
    changed = sum(bool(one[4]) for one in swings)
    yield f"Of {len(swings)} constants {changed} change a ranking.\n"
    write_png(_figure(job, swings), DOCS / "figures" / f"tornado-{job}.png")
    yield f"![tornado {job}](figures/tornado-{job}.png)\n"


Swing = tuple[str, list[str], tuple[float, float], tuple[float, float], list[str]]


def _swings(usual: dict[str, Row], cases: Cases) -> list[Swing]:
    """(constant, values, time at either side, energy, rankings changed), largest swing first."""
    found: list[Swing] = []
    for constant in dict.fromkeys(name for name, _ in cases):
        sides = [cases.get((constant, side), {}) for side in SIDES]
        ratios = []
        for key in ("time_us", "energy_uj"):
            base = float(usual[DEFAULT][key])
            low, high = (float(s[DEFAULT][key]) / base if DEFAULT in s else 1.0 for s in sides)
            ratios.append((low, high))
        changed = [
            f"{key.split('_')[0]}, {side}: {pair}"
            for side, case in zip(SIDES, sides, strict=True)
            for key in ("time_us", "energy_uj")
            for kind in ("mode", "preset")
            for pair in flips(usual, case, key, kind)
        ]
        texts = [side[DEFAULT]["value"] if DEFAULT in side else "-" for side in sides]
        found.append((constant, texts, ratios[0], ratios[1], changed))
    return sorted(found, key=lambda one: -max(abs(x - 1) for x in (*one[2], *one[3])))


def _pair(values: tuple[float, float]) -> str:
    return " / ".join(f"{value - 1:+.1%}" for value in values)


def _figure(job: str, swings: list[Swing]):
    panels = []
    for label, index in (("change of time, %", 2), ("change of energy, %", 3)):
        moved = [one for one in swings if one[index] != (1.0, 1.0)]
        largest = sorted(moved, key=lambda one: -max(abs(x - 1) for x in one[index]))[:SHOWN]
        panels.append(
            Swings(
                label,
                [one[0] for one in largest],
                [one[index][0] for one in largest],
                [one[index][1] for one in largest],
            )
        )
    return tornado_figure(f"{job} on {CHIP}: assumed constants 20 % off", panels)


def main(arguments: list[str]) -> None:
    """Measure some or all jobs and constants and write the section."""
    known = numeric(load_chip(CHIP))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="JOB", default=list(JOBS))
    parser.add_argument("--keys", nargs="*", choices=known, default=known)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for job in [] if asked.page else asked.only:
        rows = list(measure(job, asked.keys))
        update_csv(RESULTS, ("job", "constant", "side", "subject"), rows)
    rows = read_csv(RESULTS)
    replace_section(STUDIES, "sensitivity", section(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
