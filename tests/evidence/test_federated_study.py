"""The sections on federated runs: closed forms by hand, and a page that is of the recorded runs."""

from __future__ import annotations

import pytest

from tests.evidence.federated import FIGURES, PAGE
from tests.evidence.federated_scaling import exchange_time_ps
from tests.evidence.federated_text import TARGET
from tlm.workload.federated import open_federated


@pytest.mark.parametrize(
    ("topology", "workers", "span_ps"),
    [
        ("star", 1, 2 * 110.0),
        ("star", 32, 2 * 110.0),
        ("ring", 1, 0.0),
        ("ring", 2, 2 * 50.0 + 2 * 10.0),
        ("ring", 4, 6 * 25.0 + 6 * 10.0),
        ("tree", 1, 0.0),
        ("tree", 2, 2 * 110.0),
        ("tree", 4, 4 * 110.0),
        ("tree", 7, 4 * 110.0),
        ("tree", 8, 6 * 110.0),
    ],
)
def test_closed_forms_of_an_exchange(topology: str, workers: int, span_ps: float) -> None:
    """A model that takes a link for 100 ps, with a latency of 10 ps."""
    assert exchange_time_ps(topology, workers, 110.0, 10) == pytest.approx(span_ps)


def section(name: str) -> str:
    """A section of the page."""
    page = PAGE.read_text(encoding="utf-8")
    return page.split(f"<!-- study: {name} -->", 1)[1].split(f"<!-- end: {name} -->", 1)[0]


def cells(line: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip() for cell in line.strip("|\n ").split("|")]


def test_bytes_and_accuracy_of_the_rounds_are_those_recorded() -> None:
    """Three rounds of five workers, each a model up and one down."""
    run = open_federated("fed-mnist")
    variant = run.variant("dirichlet", "none")
    copies = 3 * run.workers
    text = section("federated rounds")
    assert f"{copies * (variant.upload_nbytes + variant.download_nbytes):,}" in text
    rows = [cells(line) for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == copies
    for row in rows:
        number, worker = int(row[0]), int(row[1])
        counts = run.split("dirichlet").workers[worker].iterations
        assert row[2] == str(counts[number - 1])
        assert row[-1] == f"{100 * variant.accuracy[number]:.1f}"


def test_accuracies_of_compression_are_those_recorded() -> None:
    """At the end, and the first round that reaches the target."""
    run, text = open_federated("fed-mnist"), section("federated compression")
    rows = [cells(line) for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(run.variants)
    for row, variant in zip(rows, run.variants, strict=True):
        reached = [n for n, share in enumerate(variant.accuracy) if share >= TARGET]
        assert row[1] == variant.compression.name
        assert row[5:7] == [f"{100 * variant.accuracy[-1]:.1f}", str(reached[0])]


@pytest.mark.parametrize("name", ["accuracy", "tradeoff", "scaling"])
def test_pictures_are_there_and_shown(name: str) -> None:
    """Each stands on the page."""
    path = FIGURES / f"federated-{name}.png"
    assert path.is_file() and f"(figures/{path.name})" in PAGE.read_text(encoding="utf-8")
