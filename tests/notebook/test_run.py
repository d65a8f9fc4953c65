"""Runs in Python: shown, opened again, as frames and as figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import tlm
from tlm.errors import ConfigError, InvalidResultError, TraceError

ROOT = Path(tlm.__file__).parent.parent


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tlm.Run:
    return tlm.run("mnist-fc", out=tmp_path_factory.mktemp("notebook") / "run")


def test_a_run_is_shown_as_its_summary(run: tlm.Run) -> None:
    """Terminal and notebook both give the verdict, the time and the energy of the summary."""
    assert run.ok
    for shown in (repr(run), run._repr_html_()):
        assert f"{run.summary.time.makespan_ps / 1e6:.3g} us" in shown
        assert "neuromc-20" in shown and "modelled, not measured" in shown
    assert max(map(len, repr(run).splitlines())) <= 118


def test_an_opened_run_equals_the_one_just_made(run: tlm.Run) -> None:
    """All that a run shows is in its folder."""
    opened = tlm.open_run(run.folder)
    assert opened.summary == run.summary
    assert repr(opened) == repr(run)
    assert opened._repr_html_() == run._repr_html_()


def test_overrides_are_those_of_the_command_line(tmp_path: Path) -> None:
    """A mapping of keys to values stands for --set, and units are asked for as there."""
    slow = tlm.run("mnist-fc", overrides={"core.clock": "250 MHz"}, out=tmp_path / "a", trace="off")
    assert slow.chip.config.core.clock == 250e6
    with pytest.raises(tlm.errors.ConfigError, match=r"core\.clock"):
        tlm.run("mnist-fc", overrides={"core.clock": 250}, out=tmp_path / "b")


def test_activity_and_mapping_are_those_of_the_command_line(tmp_path: Path) -> None:
    dense = tlm.run("digits", out=tmp_path / "dense", trace="off", activity="dense")
    mapping = tmp_path / "dense" / "mapping.yaml"
    recorded = tlm.run("digits", out=tmp_path / "recorded", trace="off", mapping=mapping)
    manifest = json.loads((tmp_path / "recorded" / "manifest.json").read_text())
    assert manifest["request"]["mapping"] == str(mapping)
    assert recorded.summary.time.makespan_ps < dense.summary.time.makespan_ps


def test_an_activity_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kind 'bernoulli'; give one of: recorded, dense, ann"):
        tlm.run("digits", out=tmp_path / "run", activity="bernoulli")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_completion_offers_what_a_user_can_call() -> None:
    assert set(dir(tlm)) == {"Run", "__version__", "open_run", "run"}


def test_frames_add_up_to_the_summary(run: tlm.Run) -> None:
    """DRAM bytes, computing time and energy are the same in frames and summary."""
    sent, activity, energy = run.transactions, run.activity, run.energy
    to_dram = sent[sent["target"].str.startswith("chip.dram")]
    assert to_dram["nbytes"].sum() == run.summary.dram.nbytes
    computing = activity[(activity["phase"] == "fp") & (activity["what"] == "compute")]
    spent = (computing["end"] - computing["begin"]).sum()
    assert spent == run.summary.time.phases["fp"].computing_ps
    assert energy["total_pj"].sum() == pytest.approx(run.summary.energy.total_pj)
    by_layer = energy.groupby("layer", observed=True)["total_pj"].sum()
    assert tuple(by_layer.index) == run.layers


def test_a_row_of_no_layer_is_missing_in_the_frames(run: tlm.Run) -> None:
    """What belongs to no phase or layer is missing, not a number or a wrong name."""
    idle = run.activity[run.activity["what"] == "idle"]
    assert idle["phase"].isna().all() and idle["layer"].isna().all()
    assert run.energy[run.energy["action"] == "leakage"]["layer"].isna().any()


def test_figures_are_pictures(run: tlm.Run, tmp_path: Path) -> None:
    """Each figure of `plot` is one call away, shown by a notebook and saved by a script."""
    picture = run.plot("energy")
    assert picture._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.save(tmp_path / "energy.png").read_bytes() == picture.png
    with pytest.raises(TraceError, match="there are: utilisation, energy, dram_bandwidth"):
        run.plot("pie")


def test_names_are_escaped(run: tlm.Run, tmp_path: Path) -> None:
    """A name from a file is text in the page, whatever it holds."""
    folder = tmp_path / "copy"
    shutil.copytree(run.folder, folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["workload"]["name"] = "<script>alert(1)</script>"
    (folder / "summary.json").write_text(json.dumps(summary))
    page = tlm.open_run(folder)._repr_html_()
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    """What is no run folder is refused with the file that is missing."""
    with pytest.raises(TraceError, match=r"summary\.json: no such file"):
        tlm.open_run(tmp_path)


def test_a_run_that_breaks_a_law_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Figures of an invalid run are never handed over as if they were fine."""
    broken = SimpleNamespace(
        ok=False, folder=tmp_path, summary=SimpleNamespace(broken={"energy adds up": ""})
    )
    monkeypatch.setattr("tlm.notebook.finished.run_job", lambda *_, **__: broken)
    with pytest.raises(InvalidResultError, match="energy adds up"):
        tlm.run("mnist-fc")


def test_import_tlm_is_light() -> None:
    """`import tlm` loads no package but its own, and an unknown name is an attribute error."""
    code = (
        "import sys; before = set(sys.modules); import tlm; new = set(sys.modules) - before\n"
        "ours = [name for name in new if name.split('.')[0] not in sys.stdlib_module_names]\n"
        "print(sorted(ours), hasattr(tlm, 'runs'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['tlm', 'tlm.version'] False"


def test_a_users_own_analysis_stays_theirs(run: tlm.Run, tmp_path: Path) -> None:
    """A script called `analysis.py` beside a notebook is no part of us, and stays theirs."""
    (tmp_path / "analysis.py").write_text("MINE = 1\n")
    code = (
        "import sys; sys.path.insert(0, ''); import analysis\n"
        "import tlm\n"
        f"run = tlm.open_run({str(run.folder)!r})\n"
        "assert run.plot().png and len(run.activity)\n"
        "assert sys.modules['analysis'] is analysis and analysis.MINE == 1\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'analysis'}"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
