"""``export``: a run in the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.errors import ConfigError, TraceError
from tlm.files import make_folder, whole_file

if TYPE_CHECKING:
    from tlm.trace import Trace


class DramFormat(StrEnum):
    """DRAM simulators whose request files are written."""

    RAMULATOR2 = "ramulator2"
    DRAMSIM3 = "dramsim3"
    DRAMSYS = "dramsys"


def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    perfetto: Annotated[
        bool, typer.Option("--perfetto", help="A timeline for ui.perfetto.dev: timeline.pftrace.")
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="The trace's tables: transactions.csv, activity.csv.")
    ] = False,
    dram_requests: Annotated[
        DramFormat | None,
        typer.Option(
            help="Requests of every DRAM channel, one burst per line, with clocks where the format "
            "has them: dram0.FORMAT.txt, ..."
        ),
    ] = None,
    noc_messages: Annotated[
        bool, typer.Option("--noc-messages", help="Every packet on the network: noc_messages.csv.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the files go; the run's folder if none."),
    ] = None,
) -> None:
    """Write a run's trace for other tools; print the files written."""
    import tlm.trace

    if not (perfetto or csv or dram_requests or noc_messages):
        raise ConfigError(
            "export: nothing to write; give --perfetto, --csv, --dram-requests or --noc-messages"
        )
    folder = out or (run_dir if run_dir.is_dir() else run_dir.parent)
    with tlm.trace.open(run_dir) as trace:
        _check(trace, needs_transactions=bool(dram_requests or noc_messages))
        make_folder(folder)
        for path in _written(trace, folder, perfetto, csv, dram_requests, noc_messages):
            typer.echo(path)


def _check(trace: Trace, needs_transactions: bool) -> None:
    if needs_transactions and trace.attrs["level"] != "transaction":
        raise TraceError(
            f"{trace.path}: the run recorded no transactions; run it again with --trace transaction"
        )
    if not trace.complete and not len(trace.activity) and not len(trace.transactions):
        raise TraceError(
            f"{trace.path}: the run was stopped, or its window over, before the first rows were "
            "written: nothing to export; let it run longer"
        )
    if not trace.complete:
        part = "the trace was cut short, its last part is missing"
        if trace.window_ps is not None:
            part = "a trace of a window, what lies outside is missing"
        typer.echo(f"tlm: {trace.path}: {part}", err=True)


def _written(
    trace: Trace,
    folder: Path,
    perfetto: bool,
    csv: bool,
    dram_requests: DramFormat | None,
    noc_messages: bool,
) -> Iterator[Path]:
    """Write what the options name, one file after the other."""
    from tlm.config.tables.dram_timing import load_dram_timing
    from tlm.trace.chip import chip_of
    from tlm.trace.csv_tables import csv_lines
    from tlm.trace.dram_requests import FORMATS, request_lines
    from tlm.trace.packets import noc_messages as message_lines
    from tlm.trace.perfetto import write_perfetto
    from tlm.trace.perfetto_workers import write_workers

    federated = len(trace.unit_ids("worker")) > 0
    if federated and (dram_requests or noc_messages):
        raise TraceError(
            f"{trace.path}: a federated run; DRAM requests and packets are in the traces of its "
            "chips: export a folder under iterations/"
        )
    if perfetto:
        path = folder / "timeline.pftrace"
        with whole_file(path) as part, part.open("xb") as file:
            if federated:
                write_workers(trace, file)
            else:
                write_perfetto(trace, chip_of(trace), _layers(trace), file)
        yield path
    for table in ("transactions", "activity") if csv else ():
        yield _text(folder / f"{table}.csv", csv_lines(trace, table))
    if not (dram_requests or noc_messages):
        return
    chip = chip_of(trace)
    if dram_requests:
        timing, form = load_dram_timing(chip.dram.device), dram_requests.value
        for channel in range(chip.dram.channels):
            lines = request_lines(trace, channel, timing, form)
            yield _text(folder / f"dram{channel}.{form}.{FORMATS[form].suffix}", lines)
        if not FORMATS[form].has_clocks:
            timed = ", ".join(name for name, other in FORMATS.items() if other.has_clocks)
            typer.echo(f"tlm: {form} request files hold no clocks; {timed} do", err=True)
    if noc_messages:
        yield _text(folder / "noc_messages.csv", message_lines(trace, chip))


def _layers(trace: Trace) -> dict[int, str]:
    """Names of the layers by number; a run that did not end left none."""
    from tlm.trace.summary_file import read_summary

    try:
        return dict(enumerate(read_summary(trace.path.parent).work))
    except TraceError:
        return {}


def _text(path: Path, lines: Iterable[str]) -> Path:
    with whole_file(path) as part, part.open("xb") as file:
        file.writelines(line.encode() for line in lines)
    return path
