"""Names are text everywhere: on screens, in tables, pages, pictures, and files read back."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlm
from tests.reliability.samples import QUICK
from tlm.cli import main
from tlm.config.yaml_file import parse_yaml
from tlm.config.yaml_text import document_text
from tlm.errors import TraceError
from tlm.files import parse_json, printable
from tlm.running.folder import csv_text
from tlm.running.runner import run_job
from tlm.trace.summary_file import read_summary
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job

NAMES = (
    "[/]", "[red]x[/red]", ":smile:", "=cmd|calc!A0", "@sum", "+1", "-1", "$x$", r"$\frac$",
    "<script>alert(1)</script>", "&amp;", '"', "'", "yes", "null", "1e3", "~", ": x", "#", "_x",
    "{a: 1}", "- a", "%d{x}", "a,b", "na\u00efve", "\u5c42", "\U0001f9e0",
)  # fmt: skip
CALLED = "[/] =net $x$ <b> \u5c42"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a job whose layers have such names, a hundredth of a second long."""
    net = Builder((1, 4, 4), lif_neuron(), analog=False)
    for _ in NAMES:
        net.linear(2)
    layers = tuple(replace(layer, name=name) for layer, name in zip(net.layers, NAMES, strict=True))
    network = Network(CALLED, layers, 1, 2, "rate", "made up: [/] =1")
    job = network_job(network, Bernoulli(0.5), "bernoulli(0.5)")
    small = ("cores=4", "mesh.columns=2", "mesh.rows=2", *QUICK)
    return run_job(job, overrides=small, out=tmp_path_factory.mktemp("names") / "run").folder


def test_figures_keep_their_names(folder: Path) -> None:
    """In the summary, in the mapping, and in the job as data."""
    assert tuple(read_summary(folder).work) == NAMES
    mapping = parse_yaml((folder / "mapping.yaml").read_text(encoding="utf-8"), "mapping")
    assert isinstance(mapping, dict)
    assert tuple(layer["name"] for layer in mapping["layers"]) == NAMES
    assert [row["name"] for row in json.loads((folder / "job.json").read_text())["layers"]] == [
        *NAMES
    ]


def test_no_cell_is_a_formula(folder: Path) -> None:
    """What a spreadsheet would run has an apostrophe before it, and is the name without."""
    for name in ("stats.csv", "energy.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell]
    with (folder / "stats.csv").open(newline="", encoding="utf-8") as file:
        layers = dict.fromkeys(row["layer"] for row in csv.DictReader(file) if row["layer"])
    assert tuple(layer.removeprefix("'") for layer in layers) == tuple(
        name.removeprefix("'") for name in NAMES
    )
    assert csv_text(["a"], [[-1.5], ["-1"]]) == "a\n-1.5\n'-1\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_every_screen_shows_them(folder: Path, encoding: str) -> None:
    """On every terminal: what it cannot write is spelt out, nothing is left out or obeyed."""
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join([*sys.path]), "PYTHONIOENCODING": encoding,
        "COLUMNS": "118",
    }  # fmt: skip
    verbs = [
        ["compare", str(folder), str(folder)],
        ["workload", "info", str(folder / "job.json")],
        ["run", str(folder / "job.json"), *(w for s in QUICK for w in ("--set", s)), "--trace",
         "off", "--mapping", str(folder / "mapping.yaml"), "--set", "cores=4", "--set",
         "mesh.columns=2", "--set", "mesh.rows=2", "--out", str(folder.parent / encoding)],
    ]  # fmt: skip
    for words in verbs:
        done = subprocess.run(
            [sys.executable, "-m", "tlm", *words], env=environment, capture_output=True, timeout=120
        )
        shown = done.stdout.decode(encoding)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        if words[0] != "compare":
            for name in NAMES[:-2]:
                assert name in shown or not name.isascii()
            assert (r"\u5c42" if encoding == "ascii" else "") in shown


def test_pages_and_pictures_show_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No script, no formula of mathematics; the notebook's page and text as well."""
    assert main(["plot", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    assert main(["explain", str(folder)]) == 0
    assert "[/]" in capsys.readouterr().out
    run = tlm.open_run(folder)
    for text in ((folder / "report.html").read_text(encoding="utf-8"), run._repr_html_()):
        assert "<script>alert" not in text and CALLED not in text and "$x$" in text
    assert "[red]x[/red]" in repr(run)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp")), min_size=1))
def test_any_name_reads_back(name: str) -> None:
    """From a mapping file, whatever it looks like there."""
    if name.isprintable():
        document = {"layers": [{"name": name, "cuts": {"k": [0, 1]}}], name: 1}
        assert parse_yaml(document_text(document), "f") == document


def test_control_characters_command_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused in JSON, and spelt out in error lines."""
    with pytest.raises(ValueError, match=r"a control character in '\\x1b\[2J'"):
        parse_json(r'{"a": ["\u001b[2J"]}')
    assert printable("a\x1b[2J\u202eb\tc") == r"a\x1b[2J\u202eb" + "\tc"
    assert main(["compare", f"{tmp_path}/\x1b[2J", str(tmp_path)]) == 2
    assert "\x1b" not in capsys.readouterr().err
    with pytest.raises(TraceError, match="control character"):
        (tmp_path / "summary.json").write_text('{"schema": "\\u009b2J"}')
        read_summary(tmp_path)
