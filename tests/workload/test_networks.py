"""Public networks in their small form: recorded, verified, counted; those that run, run."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tests.evidence import networks  # noqa: E402
from tests.evidence.page import DOCS  # noqa: E402
from tests.workload.nets.catalogue import PUBLISHED  # noqa: E402
from tests.workload.nets.samples import samples  # noqa: E402
from tlm.workload.golden import check_recording  # noqa: E402


@pytest.mark.parametrize("name", PUBLISHED)
def test_public_network(name: str, tmp_path: Path) -> None:
    """Alive, rebuilt from its file, multiplies as often as torch says; runs if the page says so."""
    published = PUBLISHED[name]
    for package in published.needs:
        pytest.importorskip(package)
    torch.manual_seed(0)
    net, seen = published.build(True), samples(published, None, small=True)
    expected = networks.torch_macs(net, seen.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Norse compiles its steps with torch.jit
        job = networks.record(published, net, seen, tmp_path / "job.h5", published.level)
    if published.level == "exact":
        assert all(agreement.holds() for agreement in check_recording(job, 0))
    assert networks.job_macs(job) == expected
    kept = {row["network"]: row["run"] for row in networks.rows()}
    said = networks.run(job, tmp_path / "run")
    assert said in ("ok", kept[name]) or (kept[name] != "ok" and "does not run yet" in said), said


def test_the_page_is_that_of_the_results() -> None:
    """Every network on it, each counted as torch counts it."""
    rows = networks.rows()
    assert networks.section(rows) in networks.PAGE.read_text(encoding="utf-8")
    assert all(row["macs"] == row["torch_macs"] for row in rows if row["record"] == "ok")
    assert networks.RESULTS.is_relative_to(DOCS)
