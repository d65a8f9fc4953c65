from __future__ import annotations

from pathlib import Path

import pytest
from tlm_analysis.reading.energy import read_energy

from tlm.errors import TraceError


def test_energy_by_component_and_phase_by_hand(run_dir: Path) -> None:
    """Rows add up by component and phase; leakage stays apart."""
    energy = read_energy(run_dir)
    assert energy.dynamic_pj("dram", "fp") == pytest.approx(3046875.0)
    assert energy.dynamic_pj("fp", "fp") == pytest.approx(2329000.0 + 2120000.0)
    assert energy.dynamic_pj("core", "none") == 0.0
    assert energy.leakage_pj("dram") == 800000.0


def test_no_energy_is_lost_between_the_groups(run_dir: Path) -> None:
    """Components x phases plus leakage is the total of the table."""
    energy = read_energy(run_dir)
    groups = [energy.dynamic_pj(c, p) for c in energy.components for p in energy.phases]
    groups += [energy.leakage_pj(c) for c in energy.components]
    assert sum(groups) == pytest.approx(energy.total_pj.sum())


def test_order_for_a_reader(run_dir: Path) -> None:
    """Components come by falling energy, phases in training order."""
    energy = read_energy(run_dir)
    assert energy.components == ("dram", "fp", "bp", "wg", "core", "noc")
    assert energy.phases == ("fp", "grad", "bp", "wg", "reduce", "update")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; give the folder of a finished run"),
        ("component,total\n", "expected the columns component,action,"),
        (
            "component,action,phase,layer,count,pj_each,total_pj,source,confidence\n"
            "fp,mac,fp,0,1,1,abc,x,y\n",
            "row 2: total_pj: expected a number, got 'abc'",
        ),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """A missing or wrong table is one line with the file and the place."""
    if text is not None:
        (tmp_path / "energy.csv").write_text(text)
    with pytest.raises(TraceError, match=message):
        read_energy(tmp_path)
