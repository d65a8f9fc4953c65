"""Section "Organisations of weights": what storing no zeros buys on the whole chip.

``python -m tests.evidence.organisations [--only JOB ...] [--page]`` runs the jobs, updates
``docs/studies/organisations.csv``, and writes section and figure from the whole file.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

from tlm_analysis.plots.fabric import write_png
from tlm_analysis.plots.study import Bars, bars_figure

from tests.evidence.page import DOCS, STUDIES, read_csv, replace_section, simulate, update_csv
from tlm.validation.markdown import table

RESULTS = DOCS / "studies" / "organisations.csv"
FIGURE = "figures/organisations.png"
JOBS = ("mnist-fc", "mnist-csnn")
RULES = ("dense", "magnitude=0.5", "magnitude=0.3", "magnitude=0.1", "2:4")
WORDS = {"dense": "all", "2:4": "2:4"}
ORGANISATIONS = ("pb-bmp", "pb-csr", "2:4")
PLACES = {"spill": "DRAM", "auto": "the cores, where there is room"}
KEYS = ("job", "parameters", "weights", "organisation", "lookups")
WIDE = 16  # look-ups a cycle, as many as a row of the array has weights
TABLES = ("W", "index", "reverse", "moments")

Row = dict[str, str]


def cases() -> Iterator[tuple[str, str, int]]:
    """(Which weights are not zero, their organisation, look-ups a cycle); a crossbar has none."""
    yield "dense", "crossbar", 1
    for rule in RULES:
        for organisation in ORGANISATIONS:
            if organisation in (rule, "pb-bmp", "pb-csr"):
                yield rule, organisation, 1
    yield RULES[1], "pb-bmp", WIDE
    yield RULES[1], "pb-csr", WIDE


def measure(job: str) -> Iterator[dict[str, object]]:
    """One row a case of a job, with its weights in DRAM and in the cores."""
    for parameters in PLACES:
        for rule, organisation, lookups in cases():
            overrides = [
                f"core.weights.organisation={organisation}", f"mapping.parameters={parameters}",
                *[f"core.weights.lookups={lookups}"] * (lookups > 1),
            ]  # fmt: skip
            summary, _ = simulate(job, overrides=overrides, weights=rule)
            energy, dram = summary.energy, summary.dram
            moved = (dram.read_by_tensor, dram.written_by_tensor)
            yield {
                "job": job,
                "parameters": parameters,
                "weights": rule,
                "organisation": organisation,
                "lookups": lookups,
                "time_us": summary.time.makespan_ps / 1e6,
                "energy_uj": energy.total_pj / 1e6,
                "core_uj": summary.efficiency.core_pj / 1e6,
                "dram_uj": energy.by_component_pj.get("dram", 0.0) / 1e6,
                "leakage_uj": energy.leakage_pj / 1e6,
                "dram_bytes": dram.nbytes,
                "weight_bytes": sum(by.get(name, 0) for by in moved for name in TABLES),
            }


def section(rows: list[Row]) -> str:
    """The text of the section."""
    parts = [
        "## Organisations of weights\n",
        "Two bundled jobs (last recorded iteration) on `neuromc-20`, with all weights, with the "
        "largest 50, 30 and 10 % of every layer, and with 2 of every 4 inputs, in each "
        "[organisation](model.md). Masks of activity stay those of the recorded network, so that "
        "a pruned job is a what-if. `weights and moments` are the DRAM bytes of what is trained "
        "and of the tables beside it; `cores` is the energy of engines, buffers and units. In "
        "`spill` weights and moments come from DRAM and go back in every mini-batch, in `auto` "
        "they stay in the cores where there is room. A crossbar runs the same whatever is zero.\n",
        _in_words(rows),
        _conclusions(rows),
    ]
    head = ("job", "parameters", "weights", "organisation", "time, us", "energy, uJ", "cores",
            "DRAM", "leakage", "DRAM bytes", "weights and moments", "time ratio",
            "energy ratio")  # fmt: skip
    lines = [
        (
            *(row[key] for key in KEYS[:2]),
            _words(row["weights"]),
            _named(row),
            *(f"{float(row[key]):,.0f}" for key in (
                "time_us", "energy_uj", "core_uj", "dram_uj", "leakage_uj", "dram_bytes",
                "weight_bytes",
            )),
            f"{_ratio(row, rows, 'time_us'):.2f}",
            f"{_ratio(row, rows, 'energy_uj'):.2f}",
        )
        for row in _ordered(rows)
    ]  # fmt: skip
    return "\n".join([*parts, table(head, lines), f"![organisations]({FIGURE})\n"])


def _words(rule: str) -> str:
    """A rule as a share of weights."""
    return WORDS.get(rule) or f"{float(rule.partition('=')[2]):.0%}"


def _named(row: Row) -> str:
    """An organisation, with its look-ups a cycle if they are several."""
    several = f", {row['lookups']} look-ups a cycle" if row["lookups"] != "1" else ""
    return row["organisation"] + several


def _ordered(rows: list[Row]) -> list[Row]:
    organisations = ("crossbar", *ORGANISATIONS)
    return sorted(
        rows,
        key=lambda row: (
            JOBS.index(row["job"]), list(PLACES).index(row["parameters"]),
            RULES.index(row["weights"]), organisations.index(row["organisation"]),
            int(row["lookups"]),
        ),
    )  # fmt: skip


def _ratio(row: Row, rows: list[Row], key: str) -> float:
    """A figure over that of the crossbar of the same job and place."""
    [crossbar] = [
        other
        for other in rows
        if other["organisation"] == "crossbar"
        and (other["job"], other["parameters"]) == (row["job"], row["parameters"])
    ]
    return float(row[key]) / float(crossbar[key])


def _in_words(rows: list[Row]) -> str:
    """From which density on each organisation pays, in time and energy."""
    parts = []
    for job, parameters in ((job, place) for job in JOBS for place in PLACES):
        some = [row for row in rows if (row["job"], row["parameters"]) == (job, parameters)]
        best = min(some, key=lambda row: float(row["energy_uj"]))
        dense = {
            row["organisation"]: _ratio(row, rows, "energy_uj")
            for row in some
            if row["weights"] == "dense"
        }
        energy, time = (_ratio(best, rows, key) for key in ("energy_uj", "time_us"))
        parts.append(
            f"- `{job}`, `{parameters}`: least energy with {_words(best['weights'])} of the "
            f"weights in {best['organisation']}, {energy:.2f} of the crossbar's in {time:.2f} of "
            f"its time; with all weights pb-bmp takes {dense['pb-bmp']:.2f} and pb-csr "
            f"{dense['pb-csr']:.2f} of the crossbar's energy."
        )
    return "\n".join(parts) + "\n"


def _conclusions(rows: list[Row]) -> str:
    """What follows for who builds such a chip, in three sentences."""
    by_case = {tuple(row[key] for key in KEYS): row for row in rows}

    def ratio(*case: str, key: str = "energy_uj", lookups: int = 1) -> str:
        return f"{_ratio(by_case[*case, str(lookups)], rows, key):.2f}"

    def wide(organisation: str) -> str:
        return ratio(*stays, half, organisation, key="time_us", lookups=WIDE)

    half, tenth = RULES[1], RULES[3]
    spilled, stays = ("mnist-fc", "spill"), ("mnist-csnn", "auto")
    return (
        "What an architect should conclude. Where weights pass through DRAM, storing no zeros pays "
        "from half of the weights on, and energy falls nearly as the density does (bitmap, "
        f"`mnist-fc`: {ratio(*spilled, half, 'pb-bmp')} with 50 %, "
        f"{ratio(*spilled, tenth, 'pb-bmp')} with 10 %); where they stay in the cores it pays less "
        f"and later (`mnist-csnn`: {ratio(*stays, half, 'pb-bmp')} and "
        f"{ratio(*stays, tenth, 'pb-bmp')}), for then loads of the arrays, not bytes, set the time "
        "in which the chip leaks. How fast weights enter the array decides between organisations, "
        "not their bits: compressed rows, looked up one by one, take "
        f"{ratio(*stays, half, 'pb-csr', key='time_us')} of the crossbar's time with half of the "
        f"weights where bitmaps take {ratio(*stays, half, 'pb-bmp', key='time_us')}, and 2:4, "
        f"loaded in vectors, {ratio(*stays, '2:4', '2:4', key='time_us')}. So: N:M where training "
        "holds the pattern, a bitmap for weights pruned one by one, and a crossbar for layers with "
        "most of their weights, where a bitmap costs "
        f"{ratio(*spilled, 'dense', 'pb-bmp')} to {ratio(*stays, 'dense', 'pb-bmp')} of its "
        "energy. This rests on one look-up a cycle (`core.weights.lookups`, assumed): with "
        f"{WIDE}, half of the weights take {wide('pb-bmp')} of the crossbar's time as bitmaps and "
        f"{wide('pb-csr')} as compressed rows: a wide decoder is worth more than fewer bits.\n"
    )


def figure(rows: list[Row]) -> None:
    """Time, energy and DRAM bytes over the crossbar's, weights in DRAM."""
    spilled = [row for row in _ordered(rows) if row["parameters"] == "spill"]
    places = [(job, rule) for job in JOBS for rule in RULES]
    by_case = {
        (row["job"], row["weights"], row["organisation"]): row
        for row in spilled
        if row["lookups"] == "1"
    }
    names = [f"{job} {_words(rule)}" for job, rule in places]
    panels = [
        Bars(label, names, {
            organisation: [
                _ratio(by_case[*place, organisation], rows, key)
                if (*place, organisation) in by_case else math.nan
                for place in places
            ]
            for organisation in ORGANISATIONS
        })
        for label, key in (
            ("time / crossbar", "time_us"), ("energy / crossbar", "energy_uj"),
            ("DRAM bytes / crossbar", "dram_bytes"),
        )
    ]  # fmt: skip
    write_png(bars_figure("Weights stored without zeros, through DRAM", panels), DOCS / FIGURE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=JOBS, choices=JOBS, help="jobs to run")
    parser.add_argument("--page", action="store_true", help="write the page, run nothing")
    asked = parser.parse_args()
    for name in () if asked.page else asked.only:
        update_csv(RESULTS, KEYS, list(measure(name)))
    results = read_csv(RESULTS)
    figure(results)
    replace_section(STUDIES, "organisations", section(results))
