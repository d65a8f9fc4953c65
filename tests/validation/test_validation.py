"""The validation page: points, errors, and the text made of them."""

from importlib import import_module

from tlm.validation import dram, noc
from tlm.validation.page import Findings, page
from tlm.validation.reference import REFERENCE, Errors


def test_errors_are_absolute_and_sorted():
    """Median, 90th percentile and largest of a set of relative errors."""
    assert Errors.of([-0.3, 0.1, 0.2]) == Errors(3, 0.2, 0.3, 0.3)
    assert Errors.of([]) == Errors(0, 0.0, 0.0, 0.0)


def test_closed_forms_hold():
    """Latencies within a clock, bounds within 2 %: they need no simulator."""
    forms = list(dram.closed_forms())
    assert [form.what for form in forms if abs(form.error) > 0.02] == []
    assert all(abs(form.ours - form.expected) < 0.833 for form in forms if form.unit == "ns")


def test_a_page_of_a_few_points(tmp_path):
    """Some curves and bands make a page and figures, with nothing outside below 80 % load."""
    tasks = [
        task
        for task in noc.tasks(REFERENCE, quick=True)
        if task.key == ("rc4", 4, 5, 2, "uniform") and task.rate in (0.1, 0.2, 0.3, 1.0)
    ]
    curves = noc.collect(REFERENCE, [noc.measure(task) for task in tasks])
    rows = [row for row in dram.band_rows(REFERENCE) if row["trace"] == "seq_rd"][::8]
    logged = dram.logged_energies(REFERENCE)
    bands = [
        dram.measure(row, logged.get((row["config"], row["trace"], row["mode"])), quick=True)
        for row in rows
    ]
    findings = Findings([(4, 5, 768, 0)], [], curves, [], bands, [])
    figures = import_module("tlm.cli.validate")._draw(findings, tmp_path / "figures")
    assert all((tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000 for name in figures)
    text = page(findings, figures)
    assert "| rc4 4x4 uniform L=5 V=2 | 0.6525 |" in text
    assert "![noc-latency](figures/noc-latency.png)" in text
    assert "up to 80 %\n\nNone." in text
    assert text.count("ddr4_2400_bgco") >= 1


def test_quick_points_of_the_packet_model_have_no_saturation():
    """A task past the reference's saturation is run for its accepted rate, by the router only."""
    past = [task for task in noc.tasks(REFERENCE, quick=True) if task.reference is None]
    assert past and {task.model for task in past} == {"router"}
