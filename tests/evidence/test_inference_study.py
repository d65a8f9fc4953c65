"""The study of inference: what a row says, and that the page is made of its file."""

from tests.evidence.inference import PAGE, RESULTS, early, measure, modes
from tests.evidence.page import read_csv


def test_a_job_is_measured_in_every_way_that_it_has() -> None:
    """Training of the batch; inference of the batch and of a sample, each stopped early, too."""
    rows = list(measure("digits"))
    assert [(row["mode"], row["stop"], row["batch"]) for row in rows] == [
        ("training", "all-steps", "16"),
        ("inference", "all-steps", "1"),
        ("inference", "all-steps", "16"),
        ("inference", "first-spike", "1"),
        ("inference", "first-spike", "16"),
    ]
    first, whole = rows[0], rows[2]
    assert first["operations"] == whole["operations"]
    kept = [row for row in read_csv(RESULTS) if row["job"] == "digits"]
    assert sorted(map(str, kept)) == sorted(map(str, rows))


def test_the_page_has_the_tables_of_the_file() -> None:
    """Every figure on the page comes from a run."""
    rows, text = read_csv(RESULTS), PAGE.read_text(encoding="utf-8")
    assert modes(rows) in text
    assert early(rows) in text
