"""``synapses``: its table, its files, and what it refuses."""

import json
from pathlib import Path

import pytest

from tlm.cli import main

_PARTS = ("memory_pj", "controller_pj")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the verb prints at 80 columns."""
    assert main(["synapses", *words]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_row_for_each_organisation(capsys: pytest.CaptureFixture[str]) -> None:
    """784 x 128 weights of 8 bits: the crossbar is the least of what drops nothing."""
    lines = printed(capsys, "784x128").splitlines()
    assert lines[0] == "784x128: 784 x 128 weights, drawn (seed 1)"
    assert lines[9].startswith("loihi exceeds a core at 8 bits and density 1: 25,088 words")
    rows = [line.split() for line in lines[3:9]]
    assert rows[0] == ["crossbar", "8", "1", "100,352", "802,816", "8.00", "least"]
    assert [cells[0] for cells in rows] == "crossbar pb-bmp pb-csr 2:4 loihi loihi-dense".split()


def test_a_sweep_ends_with_who_is_least_where(capsys: pytest.CaptureFixture[str]) -> None:
    """The bitmap's bit for each place pays below 7 / 8 of the weights, less its pointers."""
    options = ["--density", "0.05..1", "--organisation", "pb-bmp", "--organisation", "crossbar"]
    text = printed(capsys, "784x128", *options)
    assert "Least at 8 bits: pb-bmp at 0.05 to 0.85, crossbar at 0.9 to 1" in text
    assert text.count("pb-bmp ") == 21


def test_json_and_plot_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every table of every row; its words and widths make up the bits."""
    file, picture = tmp_path / "a.json", tmp_path / "a.png"
    printed(capsys, "20x10", "--width", "2,4", "--json", str(file), "--plot", str(picture))
    figures = json.loads(file.read_text())
    assert (figures["inputs"], figures["outputs"]) == (20, 10)
    assert [row["width"] for row in figures["memories"]] == [2] * 6 + [4] * 6
    for row in figures["memories"]:
        assert row["bits"] == sum(table["words"] * table["width"] for table in row["tables"])
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("mnist-fc", "mnist-fc: name a layer, as in mnist-fc:fc0; there are: fc0, fc1"),
        ("mnist-fc:fc9", 'no layer "fc9"; did you mean "mnist-fc:fc1"? there are: fc0, fc1'),
        ("mnist-fc --layer fc9", 'no layer "fc9"; did you mean "mnist-fc:fc1"?'),
        ("no-job:fc", 'unknown workload "no-job"'),
        ("none.npy", "none.npy: cannot be read (no such file)"),
        ("0x4", "0x4: expected 1 to 16,777,216 weights, got 0"),
        ("99999x99999", "take a smaller shape"),
        ("4x4 --width 1", "a weight has 2 to 16 bits, not 1"),
        ("4x4 --width a", '--width: expected whole numbers such as 2,4,8, got "a"'),
        ("4x4 --density 1.1", "--density: expected numbers from 0 to 1"),
        ("4x4 --density 1..0.5", "--density: expected numbers from 0 to 1"),
        ("4x4 --density nan", "--density: expected numbers from 0 to 1"),
        ("4x4 --organisation tree", 'unknown organisation "tree"; there are: crossbar'),
        ("4x4 --organisation 5:4", "N is at least 1 and at most M"),
        ("4x4 --plot a.pdf", "--plot: expected a file that ends in .png, got 'a.pdf'"),
    ],
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], words: str, text: str) -> None:
    """Exit code 2, nothing on standard output."""
    assert main(["synapses", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and text in err


def test_cost_adds_a_table_and_the_file_has_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """At a density of 0.1 the bitmap takes the least of the published three."""
    words = ["784x128", "--density", "0.1", "--json", str(tmp_path / "a.json")]
    assert "Cost of a pass" not in printed(capsys, *words)
    text = printed(capsys, *words, "--cost")
    assert "pb-bmp 8 0.1 139 nJ 1.25 uJ" in " ".join(text.split())
    costs = {
        row["organisation"]: row["cost"]
        for row in json.loads((tmp_path / "a.json").read_text())["memories"]
    }
    energy = {
        name: sum(cost[way][part] for way in ("forward", "backward") for part in _PARTS)
        for name, cost in costs.items()
        if name in ("crossbar", "pb-bmp", "pb-csr")
    }
    assert min(energy, key=energy.__getitem__) == "pb-bmp"


def test_a_memory_that_does_not_fit_costs_nothing_to_show(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Loihi has no weights of 16 bits: no row, and the line that says why."""
    text = printed(capsys, "8x8", "--width", "16", "--cost")
    assert text.split("Cost of a pass")[1].count("loihi") == 0
    assert "Loihi stores no weight of 16 bits" in text


def test_the_published_table_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Every cell, what calibrated the constants, and whose figures they are."""
    text = printed(capsys, "--published")
    assert "MIT licence" in " ".join(text.split())
    assert "58 % less published" in " ".join(text.split())
    assert text.count("crossbar *") >= 4


def test_a_source_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what it may be."""
    assert main(["synapses"]) == 2
    assert "expected SOURCE: a layer (mnist-fc:fc1)" in capsys.readouterr().err
