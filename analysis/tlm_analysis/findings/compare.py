"""What changed between two runs: time by critical path, energy by component, summing exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import tlm.trace
from tlm.space.trace_rows import PHASE_NONE
from tlm.trace.schema import PHASE_NAMES
from tlm_analysis.findings.critical_path import RESOURCES, critical_path
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.run_dir import RunDir, open_run_dir

PartKey = tuple[str, ...]
_JOB = {
    "name": "job",
    "activity": "activity",
    "mode": "mode",
    "iteration": "iteration",
    "batch": "B",
    "steps": "T",
    "sha256": "recording",
}


@dataclass(frozen=True)
class Change:
    """One part of a difference: its value in either run, in the unit of the whole.

    ``work`` is the part of the change that comes from other counts at the first run's price,
    ``price`` the rest, from other prices; both are 0 for times, which have no price.
    """

    key: PartKey
    before: Fraction
    after: Fraction
    work: Fraction = Fraction(0)
    price: Fraction = Fraction(0)

    @property
    def change(self) -> Fraction:
        """What it adds to the difference."""
        return self.after - self.before


@dataclass(frozen=True)
class RunComparison:
    """A run beside the first: totals, and parts by falling size of their change.

    ``time`` has keys (phase, resource) and is in ps, ``energy`` (component, action) and is in pJ.
    The changes of the parts add up to the change of the whole without remainder. ``partial`` names
    the runs whose trace does not cover them: the time is then one part, not taken apart.
    """

    before: RunDir
    after: RunDir
    time: tuple[Change, ...]
    energy: tuple[Change, ...]
    partial: tuple[str, ...]

    @property
    def values(self) -> dict[str, tuple[str, str]]:
        """Chip values that differ: key, then the value of either run (empty where it has none)."""
        before, after = self.before.config, self.after.config
        keys = sorted(
            key
            for key in {*before, *after}
            if before.get(key) != after.get(key)
            and key != "name"
            and not key.startswith("provenance.")
        )
        return {key: (before.get(key, ""), after.get(key, "")) for key in keys}

    @property
    def other_work(self) -> dict[str, tuple[str, str]]:
        """In what the runs do not do the same work: what it is called, then that of either run.

        A difference between such runs is not one between their chips.
        """
        before, after = _work(self.before), _work(self.after)
        differing = {name: (old, after[name]) for name, old in before.items() if old != after[name]}
        if {"job", "activity", "T"} & differing.keys():
            differing.pop("recording", None)  # follows from these
        return differing

    @property
    def split_otherwise(self) -> tuple[str, ...]:
        """Layers of both runs that are cut over the cores in another way."""
        before, after = (run.summary.chip.splits for run in (self.before, self.after))
        return tuple(name for name in before if name in after and before[name] != after[name])


def _work(run: RunDir) -> dict[str, str]:
    """What a run did, whatever the chip, by what it is called."""
    job = {name: str(getattr(run.summary.workload, field)) for field, name in _JOB.items()}
    request = run.manifest.get("request")
    if isinstance(request, dict) and request.get("activity") != "recorded":
        job["activity"] += f", run as {request.get('activity')}"
    stop = str(request.get("stop", "all-steps")) if isinstance(request, dict) else ""
    return job | {"stop": stop, "schedule": run.config.get("mapping.schedule", "")}


def compare_runs(first: str | Path, second: str | Path) -> RunComparison:
    """Take the difference of two runs apart.

    Time: both critical paths cover their runs from 0 to the end without gap or overlap, so the
    difference of the makespans is the sum, over (phase, resource), of what each has more of it.
    Energy: ``energy.csv`` lists counts times prices; the difference is the sum over (component,
    action), and each splits into more or less work at the first run's price and another price for
    the second run's work. Both sums are exact (integers, and rational sums of the file's numbers).

    Raises:
        TraceError: a folder lacks a usable trace, summary or energy table.
    """
    before, after = open_run_dir(first), open_run_dir(second)
    runs = (before, after)
    partial = tuple(f"{run.folder}: {note}" for run in runs if (note := _note(run)))
    times = [_makespan_ps(run) if partial else _path_ps(run) for run in runs]
    return RunComparison(before, after, _changes(*times), _energy_changes(before, after), partial)


def _changes(
    before: Mapping[PartKey, Fraction], after: Mapping[PartKey, Fraction]
) -> tuple[Change, ...]:
    keys = sorted({*before, *after})
    zero = Fraction(0)
    return _ranked([Change(key, before.get(key, zero), after.get(key, zero)) for key in keys])


def _ranked(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (-abs(change.change), change.key)))


def _note(run: RunDir) -> str:
    with tlm.trace.open(run.folder) as trace:
        return coverage(trace).note


def _makespan_ps(run: RunDir) -> dict[PartKey, Fraction]:
    return {("all", "not traced"): Fraction(run.summary.time.makespan_ps)}


def _path_ps(run: RunDir) -> dict[PartKey, Fraction]:
    """Time on the critical path by phase and resource, ps."""
    with tlm.trace.open(run.folder) as trace:
        path = critical_path(trace)
    lengths: dict[PartKey, Fraction] = {}
    columns = (path.phase, path.resource, path.end_ps - path.begin_ps)
    for phase, resource, length in zip(*(column.tolist() for column in columns), strict=True):
        name = "none" if phase == PHASE_NONE else PHASE_NAMES[phase]
        key = (name, RESOURCES[resource])
        lengths[key] = lengths.get(key, Fraction(0)) + length
    return lengths


def _energy_changes(before: RunDir, after: RunDir) -> tuple[Change, ...]:
    """Changes by component and action, rows of ``energy.csv`` added up."""
    rows = (_priced(before), _priced(after))
    parts: dict[PartKey, list[Fraction]] = {}
    for key in sorted({*rows[0], *rows[1]}):
        old_count, old_price = rows[0].get(key, (Fraction(0), None))
        new_count, new_price = rows[1].get(key, (Fraction(0), None))
        old = old_price if old_price is not None else new_price
        new = new_price if new_price is not None else old_price
        assert old is not None and new is not None
        part = parts.setdefault(key[:2], [Fraction(0)] * 4)
        sums = (old_count * old, new_count * new, (new_count - old_count) * old,
                new_count * (new - old))  # fmt: skip
        parts[key[:2]] = [total + share for total, share in zip(part, sums, strict=True)]
    return _ranked([Change(key, *sums) for key, sums in parts.items()])


def _priced(run: RunDir) -> dict[PartKey, tuple[Fraction, Fraction]]:
    """Count and price in pJ by component, action, phase and layer; equal rows are added."""
    energy = run.energy
    keys = zip(energy.component, energy.action, energy.phase, energy.layer, strict=True)
    priced: dict[PartKey, tuple[Fraction, Fraction]] = {}
    for key, count, price in zip(keys, energy.count, energy.pj_each, strict=True):
        named = tuple(str(part) for part in key)
        each = Fraction(float(price))
        held, _ = priced.get(named, (Fraction(0), each))
        priced[named] = (held + Fraction(float(count)), each)
    return priced
