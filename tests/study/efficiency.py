"""Section "TFLOPS/W" of the validation page: three networks beside the published 1.05.

``python -m tests.study.efficiency [--only NETWORK ...] [--batch B] [--page]`` updates
``docs/studies/efficiency.csv`` and ``docs/studies/constants.csv`` and writes the section.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from tests.study.page import DOCS, read_csv, replace_section, simulate, table, update_csv
from tlm.config import load_chip, load_energy
from tlm.counterfactual import NOTHING_SKIPPED
from tlm.summary import CORE_COMPONENTS, CORE_PHASES

RESULTS = DOCS / "studies" / "efficiency.csv"
CONSTANTS = DOCS / "studies" / "constants.csv"
PAGE = DOCS / "validation.md"
NETWORKS = ("s-resnet18", "s-vgg16", "s-resnet50")
CHIP = "neuromc-20"
PUBLISHED = 1.05
SPARSE = "like(cifar-sew)"
LABELS = {"published": "calibrated", "derived": "calibrated", "assumed": "assumed"}


def measure(network: str, batch: int) -> Iterator[tuple[dict[str, object], list[dict[str, str]]]]:
    """Summary row and energy rows: dense on both tables, and with activity of a recorded job."""
    for activity, energy, overrides in (
        ("dense", "neuromc", NOTHING_SKIPPED),
        ("dense", "cacti28", NOTHING_SKIPPED),
        (SPARSE, "neuromc", ()),
    ):
        job = f"{network}[B={batch},T=4]:{activity}"
        summary, rows = simulate(job, CHIP, (*overrides, f"energy={energy}"))
        figures = summary["efficiency"]
        dense, useful = figures["dense_equivalent_tflops_w"], figures["effective_tflops_w"]
        yield (
            {
                "network": network,
                "activity": activity,
                "energy": energy,
                "batch": batch,
                "dense_core": dense["core"],
                "dense_chip": dense["chip"],
                "effective_core": useful["core"],
                "effective_chip": useful["chip"],
                "time_ms": summary["time"]["makespan_ps"] / 1e9,
                "energy_mj": summary["energy"]["total_pj"] / 1e9,
            },
            rows,
        )


def constants(network: str, rows: list[dict[str, str]]) -> Iterator[dict[str, object]]:
    """Every coefficient of a run with its label and its share of either boundary."""
    parts: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        inside = row["component"] in CORE_COMPONENTS and row["phase"] in CORE_PHASES
        sums = parts.setdefault((row["component"], row["action"]), [0.0, 0.0])
        sums[0] += float(row["total_pj"]) * inside
        sums[1] += float(row["total_pj"])
    core, chip = (sum(sums[i] for sums in parts.values()) for i in (0, 1))
    loaded = load_chip(CHIP)
    energies = load_energy("neuromc", loaded.config.core.memory)
    for (component, action), (in_core, in_chip) in parts.items():
        entry = energies.leakage[component] if action == "leakage" else None
        found = entry or energies.actions[component, action]
        yield {
            "network": network,
            "constant": f"{component}.{action}",
            "value": f"{entry.power_w} W" if entry else f"{energies.pj(component, action):g} pJ",
            "label": LABELS[found.confidence],
            "share_core": in_core / core,
            "share_chip": in_chip / chip,
            "source": found.source,
        }


def section(rows: list[dict[str, str]], shares: list[dict[str, str]]) -> str:
    """The text of the section."""
    return "\n".join(
        [
            "## TFLOPS/W beside the paper\n",
            "Written by `python -m tests.study.efficiency`; do not edit. The abstract of arXiv "
            "2412.05302 states 1.05 TFLOPS/W at FP16 and 28 nm, without saying what is counted. "
            "One training iteration of the ImageNet networks on `neuromc-20` (T = 4; first "
            "layer, read-out and optimizer included), B = 1 unless said otherwise: mini-batches "
            "share weights, nothing else at boundary *core*. *Dense-equivalent*: 2 FLOP for every "
            "element of every slot, executed or skipped, inserted zeros included; *effective*: "
            "only operations on non-zero operands with a needed result. Boundary *core*: engines, "
            "their buffers, soma, gradient and BN units; *chip*: DRAM, network and leakage too.\n",
            _networks(rows),
            "Activity `dense` skips nothing (the authors' model has no density anywhere); "
            f"`{SPARSE}` has the sparsity of that recorded job: the paper's definition is not "
            "known, so neither line is adjusted to it.\n",
            "### What the figures rest on\n",
            "*Calibrated*: a constant of the authors' own energy model, or a sum of such; the "
            "published 1.05 itself was used for none. *Validated*: checked here against "
            "independent figures. *Assumed*: stated by no publication. Shares are those of "
            f"{NETWORKS[0]}, dense.\n",
            _shares(shares),
            "Validated: accesses per slot and unit (11 layer fragments of the authors' model, "
            "compute and memory energy within 0.1 %, `tests/hardware/test_neuromc_fragments.py`); "
            "DRAM timing and network (sections above).\n",
            _chip(),
        ]
    )


def _networks(rows: list[dict[str, str]]) -> str:
    head = ("network", "B", "activity", "energies", "dense-equivalent, core", "against 1.05",
            "dense-equivalent, chip", "effective, core", "effective, chip", "time",
            "energy")  # fmt: skip
    lines = [
        (
            row["network"],
            row["batch"],
            f"`{row['activity']}`",
            row["energy"],
            f"{float(row['dense_core']):.2f}",
            f"{float(row['dense_core']) / PUBLISHED - 1:+.0%}",
            f"{float(row['dense_chip']):.2f}",
            f"{float(row['effective_core']):.2f}",
            f"{float(row['effective_chip']):.2f}",
            f"{float(row['time_ms']):.1f} ms",
            f"{float(row['energy_mj']):.0f} mJ",
        )
        for row in sorted(
            rows, key=lambda r: (NETWORKS.index(r["network"]), r["activity"] != "dense")
        )
    ]
    return table(head, lines)


def _shares(rows: list[dict[str, str]]) -> str:
    shown = [row for row in rows if row["network"] == NETWORKS[0]]
    shown.sort(key=lambda row: -float(row["share_chip"]))
    lines = [
        (row["constant"], row["value"], row["label"], f"{float(row['share_core']):.1%}",
         f"{float(row['share_chip']):.1%}", row["source"])
        for row in shown
    ]  # fmt: skip
    totals = [
        ("all", "", label, *(f"{_total(shown, label, key):.1%}" for key in ("core", "chip")), "")
        for label in ("calibrated", "assumed")
    ]
    head = ("energy", "value", "label", "share of core", "share of chip", "source")
    return table(head, [*totals, *lines])


def _total(rows: list[dict[str, str]], label: str, boundary: str) -> float:
    return sum(float(row[f"share_{boundary}"]) for row in rows if row["label"] == label)


def _chip() -> str:
    """Every value of the chip by its label."""
    loaded = load_chip(CHIP)
    labels = {key: "assumed" if key in loaded.assumed else "calibrated" for key in loaded.origins}
    lines = [
        (label, ", ".join(f"`{key}`" for key in labels if labels[key] == label))
        for label in ("calibrated", "assumed")
    ]
    return table(("label", f"values of `{CHIP}`"), lines)


def main(arguments: list[str]) -> None:
    """Measure some or all networks and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    asked = parser.parse_args(arguments)
    for network in [] if asked.page else asked.only:
        measured = list(measure(network, asked.batch))
        keys = ("network", "activity", "energy", "batch")
        update_csv(RESULTS, keys, [row for row, _ in measured])
        update_csv(CONSTANTS, ("network", "constant"), constants(network, measured[0][1]))
    text = section(read_csv(RESULTS), read_csv(CONSTANTS))
    replace_section(PAGE, "efficiency", text)


if __name__ == "__main__":
    main(sys.argv[1:])
