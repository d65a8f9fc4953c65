"""Every screen at 80, 100 and 120 columns: nothing wider, nothing cut, no figure folded."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tlm.cli import main
from tlm.cli.tables import Beside, ScreenTable
from tlm.running.runner import run_job

WIDE = 1000  # columns in which nothing needs to give way
WIDTHS = (80, 100, 120)

SCREENS = [
    "run digits --out RUN",
    "compare A B",
    "explain A",
    "presets",
    "area",
    "area neuromc-1 --parts",
    "map digits --search greedy --simulate 1 --out -",
    "workload info mnist-fc-t25",
    "workload info digits",
    "workload check mnist-fc",
    "gpu digits --run A",
    "noc --mesh 3x3 --rate 0.1 --warmup 10 --cycles 200",
    "dram --pattern rand_rd --count 200 --window 4",
    "synapses digits:conv1 --width 2,16 --density 0.5,1 --cost",
    "synapses --published",
    "config check mine.yaml",
    *(
        pytest.param(command, marks=pytest.mark.slow)
        for command in (
            "run mnist-fc-t25 --trace off --out RUN",
            "run cifar-sew --trace off --out RUN",
            "map digits --out -",
            "counterfactual digits --density 0.1",
        )
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one job, A and B, on chips that differ, and a chip's file."""
    place = tmp_path_factory.mktemp("screens")
    run_job("digits", out=place / "A")
    run_job("digits", overrides=["noc.link=256 bit", "dram.channels=2"], out=place / "B")
    (place / "mine.yaml").write_text("extends: neuromc-20\nname: mine\n")
    return place


def printed(
    words: Sequence[str],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    """The lines of a screen on a terminal of that many columns, without those about this run."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(words) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    varying = [i for i, line in enumerate(lines) if line.startswith("Simulated in")]
    assert all(len(line.rstrip()) <= width for line in lines)
    return lines[: varying[0]] if varying else lines


@pytest.mark.parametrize("command", SCREENS)
def test_every_screen_fits(
    command: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a wide screen shows, word by word and figure by figure, stands whole on a narrow one."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "0")  # rich: no colour all the same

    def words(width: int) -> set[str]:
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        arguments = command.replace("RUN", str(run)).split()
        return {
            word.strip("─")
            for line in printed(arguments, width, monkeypatch, capsys)
            for word in line.split()
        }

    whole = words(WIDE)
    for width in WIDTHS:
        assert whole <= words(width)


@given(
    keys=st.integers(1, 2),
    cells=st.lists(st.lists(st.integers(1, 18), min_size=6, max_size=6), min_size=1, max_size=4),
    width=st.integers(40, 130),
)
def test_any_table_fits(keys: int, cells: list[list[int]], width: int) -> None:
    """No line is wider than the screen, and every cell is there, whatever the columns hold."""
    rows = [
        [f"{row}.{column}." + "x" * size for column, size in enumerate(sizes)]
        for row, sizes in enumerate(cells)
    ]
    table = ScreenTable("Sizes", *"abcdef", keys=keys)
    for row in rows:
        table.add_row(*row)
    lines = shown(table, width)
    assert all(len(line) <= width for line in lines)
    figures = {cell for row in rows for cell in row[keys:]}
    assert figures <= {word for line in lines for word in line.split()}


def test_tables_stand_beside_each_other_where_they_fit() -> None:
    """Two tables share their lines on a wide screen, and follow each other on a narrow one."""
    tables = [ScreenTable(title, "name", "a long heading") for title in ("first", "second")]
    for table in tables:
        table.add_row("x", "1")
    assert shown(Beside(*tables), 80)[0].split() == ["first", "second"]
    assert shown(Beside(*tables), 40)[0].split() == ["first"]


def test_prose_continues_between_words() -> None:
    """A sentence takes the columns that are left and several lines, its row's figures do not."""
    table = ScreenTable("", "part", "mm2", "source", prose=("source",))
    table.add_row("array", "12.5", "a paper with a long title, table 7, scaled to 28 nm")
    lines = shown(table, 50)
    assert [line for line in lines if "array" in line and "12.5" in line]
    assert " ".join(word for line in lines[2:] for word in line.split()[-9:]).endswith("28 nm")


def test_a_cell_is_text_whatever_it_holds() -> None:
    """Names come from users' files: nothing in them is taken for a style."""
    table = ScreenTable("", "layer", "cores")
    table.add_row("[/]", "[bold]3")
    assert shown(table, 80)[-1].split() == ["[/]", "[bold]3"]


def shown(renderable: object, width: int) -> list[str]:
    """The lines of a renderable."""
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get().splitlines()
