"""Numbers whose width is no whole byte."""

import pytest

from tlm.running.runner import run_job


@pytest.mark.parametrize(
    "width",
    ["precision.partial_sum=25 bit", "precision.weight=13 bit", "precision.membrane=13 bit"],
)
def test_every_law_holds(width, tmp_path):
    """What is stored or sent is rounded up to bytes piece by piece, and counted so."""
    modes = [f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg")]
    overrides = [width, *modes, "core.skip_slices=false"]
    result = run_job("digits", overrides=overrides, trace="off", out=tmp_path / "run")
    assert result.ok, result.summary.broken
