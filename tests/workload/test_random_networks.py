"""Random networks: recorded, verified, counted, run on both kernels as the page says."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tests.evidence import random_networks  # noqa: E402
from tests.evidence.random_networks import OK, SEEDS  # noqa: E402
from tests.hardware.kernels import needs_compiled  # noqa: E402

ROWS = random_networks.rows()
REDUCED = ROWS[:8]


@needs_compiled
@pytest.mark.parametrize("row", REDUCED, ids=lambda row: row["seed"])
def test_a_random_network(row: dict[str, str]) -> None:
    """It is recorded, counted and run, or refused, in the words that are kept."""
    assert random_networks.measured(int(row["seed"])) == row


@pytest.mark.slow
@needs_compiled
@pytest.mark.parametrize("row", ROWS[len(REDUCED) :], ids=lambda row: row["seed"])
def test_every_random_network(row: dict[str, str]) -> None:
    """The full form of the test above."""
    assert random_networks.measured(int(row["seed"])) == row


def test_the_page_is_that_of_the_results() -> None:
    """All seeds, each recorded as torch counts it; no law is broken, no kernel differs."""
    assert [int(row["seed"]) for row in ROWS] == list(SEEDS)
    assert random_networks.section(ROWS) in random_networks.PAGE.read_text(encoding="utf-8")
    for row in ROWS:
        assert (row["macs"], bool(row["run"])) == (
            (row["torch_macs"], True) if row["record"] == OK else ("", False)
        )
        assert not row["run"].startswith(("broken", "kernels differ")), row
    assert sum(row["record"] == OK for row in ROWS) >= 190


def test_a_cause_names_no_layer() -> None:
    """What refusals of the same kind have in common."""
    lines = (
        "layers.2.product: parts of what it reads pass no dropout, or another one; drop it",
        "job.h5: layer a.b has an operand with a delay, of layer c (recurrence), which the chip "
        "model does not run yet; a file of it can be checked",
    )
    assert [random_networks.cause_of(line) for line in lines] == [
        "parts of what it reads pass no dropout, or another one",
        "an operand with a delay (recurrence)",
    ]
