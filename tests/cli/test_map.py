"""``map`` and ``run --mapping``: a mapping found, shown, written, and read back."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tlm.cli import main


def test_a_mapping_is_found_written_and_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table names what was compared; the file runs, and a run's own file gives equal bytes."""
    found = tmp_path / "found.yaml"
    steps = ["--set", "mapping.search_steps=30"]
    chip = tmp_path / "my chip.yaml"
    chip.write_text("extends: neuromc-20\nname: mine\ndram: {channels: 2}\n")
    options = ["--chip", str(chip), "--iteration", "0", *steps, "--set", "noc.link=256 bit"]
    words = ["map", "mnist-fc", "--simulate", "1", *options, "--out", str(found)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "30 mappings compared by time" in shown
    command = shlex.split(shown.splitlines()[-1])
    assert command[:3] == ["python", "-m", "tlm"]
    assert main([*command[3:], "--out", str(tmp_path / "printed")]) == 0
    document = YAML(typ="safe").load(found.read_text())
    assert document["chosen"]["compared"] == 30
    assert document["chosen"]["runner_up"]["differs_in"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["run", "mnist-fc", "--mapping", str(found), "--out", str(first)]) == 0
    assert main(["run", "mnist-fc", "--mapping", str(first / "mapping.yaml"),
                 "--out", str(second)]) == 0  # fmt: skip
    for name in ("summary.json", "energy.csv", "stats.csv", "trace.h5", "mapping.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    summary = json.loads((first / "summary.json").read_text())
    cores = [len(layer["cores"]) for layer in document["layers"]]
    assert [split["cores"] for split in summary["chip"]["splits"].values()] == cores


def test_a_bad_mapping_file_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line, no run folder."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("schema: tlm-mapping\nschema_version: 2\n")
    folder = tmp_path / "run"
    assert main(["run", "mnist-fc", "--mapping", str(bad), "--out", str(folder)]) == 2
    assert "workload, chip, mapping, layers: missing; add them" in capsys.readouterr().err
    assert not folder.exists()
