"""Sections of the page on federated learning that show what the system of chips does.

``python -m tests.evidence.federated`` simulates every recorded iteration of a run once (about
three minutes of one core), and the exchange between chips for every run of these sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tlm_analysis.plots.fabric import Curve, CurvePanel, panel_figure, write_png
from tlm_analysis.plots.federated import accuracy_figure

from tests.evidence.federated_runs import FederatedStudy
from tests.evidence.federated_scaling import (
    CASES,
    FAST,
    SLOW,
    WORKERS,
    ScalingPoint,
    chosen,
    scaling_points,
)
from tests.evidence.federated_text import (
    alone_text,
    compression_table,
    mishaps_table,
    repeating_text,
    rounds_table,
    scaling_table,
    scaling_text,
    shares_text,
    wire_text,
)
from tests.evidence.page import DOCS, replace_section
from tlm.federated.results import FederatedSummary
from tlm.workload.federated import FederatedVariant

PAGE = DOCS / "federated.md"
FIGURES = DOCS / "figures"
NAME = "fed-mnist"
SPLITS = {"dirichlet": "non-identical data", "iid": "identical data"}


def main() -> None:
    """Write all sections and pictures."""
    with TemporaryDirectory() as folder:
        study = FederatedStudy(NAME, Path(folder), jobs=2)
        write_rounds(study)
        write_mishaps(study)
        write_compression(study)
        write_scaling(study)


def write_rounds(study: FederatedStudy) -> None:
    """Three rounds of five workers; one worker alone; the error of repeating an iteration."""
    summary = study.run({"rounds": 3}).summary
    write_png(accuracy_figure(summary), FIGURES / "federated-accuracy.png")
    text = f"""{rounds_table(summary)}
{shares_text(summary)}

{wire_text(summary)}

{alone_text(study)}

{repeating_text(study, summary)}

![Accuracy of the global model over seconds and over joules](figures/federated-accuracy.png)"""
    replace_section(PAGE, "federated rounds", text)


def write_mishaps(study: FederatedStudy) -> None:
    """A straggler, a slow link, a drop-out."""
    replace_section(PAGE, "federated mishaps", mishaps_table(study))


def write_compression(study: FederatedStudy) -> None:
    """All recorded variants over all their rounds."""
    runs = [(variant, variant_summary(study, variant)) for variant in study.recording.variants]
    text = f"""{compression_table(runs)}
![Accuracy against energy for both splits and all compressions](figures/federated-tradeoff.png)"""
    replace_section(PAGE, "federated compression", text)
    panels = [
        CurvePanel(
            title,
            [
                tradeoff_curve(summary, variant.compression.name, group)
                for group, (variant, summary) in enumerate(
                    pair for pair in runs if pair[0].split == split
                )
            ],
            "energy of all chips and links, J",
            "accuracy of the global model, %",
            y_min=60.0,
            y_max=95.0,
        )
        for split, title in SPLITS.items()
    ]
    write_png(panel_figure(panels, columns=2), FIGURES / "federated-tradeoff.png")


def variant_summary(study: FederatedStudy, variant: FederatedVariant) -> FederatedSummary:
    """A recorded training run, all rounds of it."""
    asked = {"split": variant.split, "compression": variant.compression.name}
    return study.run({"variant": asked, "rounds": study.recording.rounds}).summary


def tradeoff_curve(summary: FederatedSummary, label: str, group: int) -> Curve:
    """Accuracy (%) over energy (J), from the model before the first round on."""
    x = [0.0, *(item.total_pj / 1e12 for item in summary.rounds)]
    accuracies = [summary.initial_accuracy, *(item.accuracy for item in summary.rounds)]
    return Curve(label, x, [100 * (value or 0.0) for value in accuracies], group=group)


def write_scaling(study: FederatedStudy) -> None:
    """1 to 32 workers."""
    points = scaling_points(study)
    text = f"""{scaling_text(points)}

{scaling_table(points)}
![Time of an iteration by workers, simulated and in closed form](figures/federated-scaling.png)"""
    replace_section(PAGE, "federated scaling", text)
    panels = [scaling_panel(points, network[0]) for network in (SLOW, FAST)]
    write_png(panel_figure(panels, columns=2), FIGURES / "federated-scaling.png")


def scaling_panel(points: Sequence[ScalingPoint], link: str) -> CurvePanel:
    """Time of a data-parallel iteration: lines simulated, markers the closed form."""
    curves = []
    for group, (protocol, topology) in enumerate(CASES[1:]):
        rows = chosen(points, link, protocol, topology)
        for reference, label in ((False, topology), (True, f"{topology}, closed form")):
            values = [row.closed_ps / row.time_ps * row.iteration_ps if reference
                      else row.iteration_ps for row in rows]  # fmt: skip
            curves.append(
                Curve(label, WORKERS, [value / 1e9 for value in values], reference, group)
            )
    title = f"Links of {link}"
    return CurvePanel(title, curves, "workers", "time of a data-parallel iteration, ms")


if __name__ == "__main__":
    main()
