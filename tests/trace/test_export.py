"""Exports: what other tools would read is what the run did."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tlm.trace
from tlm.cli import main
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import read_requests
from tlm.running.runner import run_job
from tlm.space.phase import Phase
from tlm.space.trace_rows import ActivityRow, EngineState
from tlm.trace import schema
from tlm.trace.chip import chip_of
from tlm.trace.packets import link_nbytes, packets
from tlm.trace.perfetto import track_edges


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_job("mnist-fc", out=tmp_path_factory.mktemp("export") / "run").folder


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def export(run: Path, out: Path, *words: str) -> None:
    assert main(["export", str(run), *words, "--out", str(out)]) == 0


def test_replayed_dram_requests_give_the_runs_bursts_and_row_hits(
    run: Path, tmp_path: Path
) -> None:
    """Every burst comes back; the row hit rate within 0.1 points, as ties of arrival are open."""
    export(run, tmp_path, "--dram-requests", "dramsim3")
    dram = summary(run)["dram"]
    timing = load_dram_timing("LPDDR4-3200")
    counters = []
    for path in sorted(tmp_path.glob("dram*.dramsim3.txt")):
        offered = read_requests(path, timing.burst_bytes)
        load = DramLoad(clocks=tuple(offered.clocks))
        counters.append(drive(timing, offered.requests, load, nbytes=offered.nbytes).counters)
    assert sum(c.reads for c in counters) == dram["bursts_read"]
    assert sum(c.writes for c in counters) == dram["bursts_written"]
    hits = sum(c.row_hits for c in counters) / sum(c.reads + c.writes for c in counters)
    assert hits == pytest.approx(dram["row_hit_rate"], abs=0.001)


def test_exported_clocks_are_those_of_acceptance(run: Path, tmp_path: Path) -> None:
    """A burst's clock is the last edge of the device's clock at or before its acceptance."""
    export(run, tmp_path, "--dram-requests", "dramsim3")
    timing = load_dram_timing("LPDDR4-3200")
    burst = timing.burst_bytes
    with tlm.trace.open(run) as trace:
        for channel, unit in enumerate(trace.unit_ids("dram").tolist()):
            lines = (tmp_path / f"dram{channel}.dramsim3.txt").read_text().splitlines()
            rows = trace.transactions[trace.transactions["target"] == unit]
            accepted = Counter[tuple[int, int]]()
            for row in rows:
                for address in range(
                    row["address"] // burst * burst, row["address"] + row["nbytes"], burst
                ):
                    accepted[int(address), int(row["end_req"]) // timing.tck_ps] += 1
            written = [line.split() for line in lines]
            assert Counter((int(w[0], 16), int(w[2])) for w in written) == accepted


@pytest.mark.parametrize("form", ["dramsim3", "dramsys"])
def test_formats_with_clocks_are_read_back_alike(run: Path, tmp_path: Path, form: str) -> None:
    """What is written for a simulator that knows times is read back with them."""
    export(run, tmp_path, "--dram-requests", "dramsim3")
    export(run, tmp_path, "--dram-requests", form)
    (path,) = tmp_path.glob(f"dram0.{form}.*")
    assert read_requests(path, 64) == read_requests(tmp_path / "dram0.dramsim3.txt", 64)


def test_ramulator_lines_are_the_same_bursts_without_times(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both formats name the same bytes in the same order; one has no clocks, which is said."""
    export(run, tmp_path, "--dram-requests", "dramsim3")
    export(run, tmp_path, "--dram-requests", "ramulator2")
    assert "hold no clocks; dramsim3, dramsys do" in capsys.readouterr().err
    for channel in range(4):
        timed = (tmp_path / f"dram{channel}.dramsim3.txt").read_text().split()
        plain = (tmp_path / f"dram{channel}.ramulator2.txt").read_text().split()
        assert timed[0::3] == plain[1::2]
        assert [name == "WRITE" for name in timed[1::3]] == [name == "ST" for name in plain[0::2]]
        clocks = [int(clock) for clock in timed[2::3]]
        assert clocks == sorted(clocks)


def test_messages_load_every_link_as_the_model_counted(run: Path) -> None:
    """Flits of each mesh link, routed anew from the packets, equal the model's own counters."""
    with tlm.trace.open(run) as trace:
        chip = chip_of(trace)
        sent = packets(trace, chip)
    moved = link_nbytes(sent, chip, np.array([0.0, 1e15]))
    with (run / "stats.csv").open() as file:
        counted = {
            f"chip.noc.{row['instance']}": int(row["value"])
            for row in csv.DictReader(file)
            if row["component"] == "noc" and row["metric"] == "flits" and row["value"] != "0"
        }
    mesh = {name: flits for name, flits in counted.items() if not name.endswith("ject")}
    assert mesh == {name: int(nbytes[0]) * 8 // chip.noc.link for name, nbytes in moved.items()}


def test_csv_tables_hold_every_row(run: Path, tmp_path: Path) -> None:
    """One line a committed row, under the trace's column names."""
    export(run, tmp_path, "--csv", "--noc-messages")
    with tlm.trace.open(run) as trace:
        with (tmp_path / "transactions.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(trace.transactions)
        assert sum(int(row["nbytes"]) for row in rows) == trace.transactions["nbytes"].sum()
        assert Counter(row["command"] for row in rows)["read"] > 0
        with (tmp_path / "activity.csv").open() as file:
            assert sum(1 for _ in file) == len(trace.activity) + 1


def test_the_timeline_parses_nests_and_keeps_the_traces_times(run: Path, tmp_path: Path) -> None:
    """Read with Perfetto's own definitions: slices nest, spans are the trace's, flows have ends."""
    perfetto_trace = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    export(run, tmp_path, "--perfetto")
    timeline = perfetto_trace.Trace()
    timeline.ParseFromString((tmp_path / "timeline.pftrace").read_bytes())
    open_slices: dict[int, list[int]] = {}
    spans, flows, names = Counter[tuple[int, int]](), Counter[int](), set[str]()
    for packet in timeline.packet:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            names.add(event.name)
            exact = {a.name: a.int_value for a in event.debug_annotations}
            if exact:
                assert packet.timestamp == exact["begin_ps"] // 1000
                spans[exact["begin_ps"], exact["end_ps"]] += 1
            open_slices.setdefault(event.track_uuid, []).append(packet.timestamp)
            flows.update(event.flow_ids)
        elif event.type == event.TYPE_SLICE_END:
            assert open_slices[event.track_uuid].pop() <= packet.timestamp
    assert not any(open_slices.values())
    assert {"FP fc0", "WG fc1"} <= names
    span = r"(, samples? \d+( to \d+)?, steps? \d+( to \d+)?)?"
    doing = r"computes|waits for (DRAM|NoC|write-back|other work|its phase to begin)"
    layer = r"[A-Z_]+ fc[01]"
    assert all(re.fullmatch(f"({doing}){span}|{layer}", name) for name in names - {""})
    assert flows and min(flows.values()) >= 2
    with tlm.trace.open(run) as trace:
        rows = trace.activity[trace.activity["what"] != 5]
        recorded = zip(rows["begin"].tolist(), rows["end"].tolist(), strict=True)
        assert spans == Counter(recorded)


def test_a_slice_begins_with_its_own_interval() -> None:
    """An engine that computes from 5 to 8 us, idles, and waits from 9 to 10 us."""
    computes = ActivityRow(0, 5000, 8000, EngineState.COMPUTE, Phase.FP, 0, 0, 1, 0, 1, 0)
    idles = computes._replace(begin=8000, end=9000, what=EngineState.IDLE)
    waits = computes._replace(begin=9000, end=10_000, what=EngineState.STALL_DRAM)
    edges = [
        (edge.time_ps, edge.name.partition(",")[0])
        for edge in track_edges([computes, idles, waits], [[], [], []], {0: "fc0"})
    ]
    assert edges == [
        (5000, "FP fc0"), (5000, "computes"), (8000, ""), (8000, ""),
        (9000, "FP fc0"), (9000, "waits for DRAM"), (10_000, ""), (10_000, ""),
    ]  # fmt: skip


def test_no_counter_of_a_channel_exceeds_its_peak(tmp_path: Path) -> None:
    """Posted writes count when they move; all bytes of the run are in the counters."""
    perfetto_trace = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    run = run_job("digits", out=tmp_path / "run").folder
    export(run, tmp_path, "--perfetto")
    timeline = perfetto_trace.Trace()
    timeline.ParseFromString((tmp_path / "timeline.pftrace").read_bytes())
    channels = {
        packet.track_descriptor.uuid
        for packet in timeline.packet
        if packet.track_descriptor.name.startswith("chip.dram")
    }
    values = [
        packet.track_event.double_counter_value
        for packet in timeline.packet
        if packet.track_event.track_uuid in channels
    ]
    assert len(channels) == 4 and len(values) == 4000
    assert max(values) <= 12.8 * (1 + 1e-9)
    dram, time = summary(run)["dram"], summary(run)["time"]
    moved = sum(values) * time["makespan_ps"] / 1000 / 1000  # GB/s over a thousandth of the run
    assert moved == pytest.approx(dram["bytes_read"] + dram["bytes_written"], rel=2e-3)


def test_nothing_asked_for_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a format there is nothing to write, and the line names the formats."""
    assert main(["export", str(run)]) == 2
    assert "--perfetto" in capsys.readouterr().err


def copied(run: Path, out: Path, activity: int, transactions: int) -> Path:
    """A run folder as of a killed run: so many rows of each table were committed."""
    shutil.copytree(run, out)
    with h5py.File(out / "trace.h5", "r+") as file:
        counts = {"activity": activity, "transactions": transactions}
        rows = [counts[table] for table in schema.TABLES]
        file["committed"][...] = schema.committed_values(rows, complete=False)
    return out


def test_a_run_killed_before_its_first_rows_has_nothing_to_export(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and writes no timeline that looks like an idle chip."""
    folder = copied(run, tmp_path / "killed", 0, 0)
    assert main(["export", str(folder), "--perfetto"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "before the first rows were written: nothing to export" in line
    assert not (folder / "timeline.pftrace").exists()


def test_what_a_killed_run_committed_is_exported(run: Path, tmp_path: Path) -> None:
    """Transactions without activity still have their bandwidth: all bytes are in the counters."""
    perfetto_trace = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    folder = copied(run, tmp_path / "killed", 0, 5000)
    assert main(["export", str(folder), "--perfetto"]) == 0
    timeline = perfetto_trace.Trace()
    timeline.ParseFromString((folder / "timeline.pftrace").read_bytes())
    values = [
        packet.track_event.double_counter_value
        for packet in timeline.packet
        if packet.track_event.HasField("double_counter_value")
    ]
    assert max(values) > 1.0


def test_requests_need_a_trace_with_transactions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run recorded at level phase says what to do about it."""
    folder = run_job("mnist-fc", out=tmp_path / "phase", trace="phase").folder
    assert main(["export", str(folder), "--noc-messages"]) == 2
    assert "--trace transaction" in capsys.readouterr().err


@pytest.mark.parametrize(
    "lines",
    [
        "\ufeffR 0x40\r\nW 0x1000\r\n",  # as an editor on Windows saves it
        "0x40 R\n0x1000 W\n",  # Ramulator 1
        "LD 0x40\nST 4096\n",  # Ramulator 2
        "5: read 0x40\n# a remark\n5:\twrite\t0x1000 0xff\n",  # DRAMSys
        "0x40 READ 5\n0x1000 WRITE 5\n",  # DRAMsim3
    ],
)
def test_request_files_of_other_tools_are_read(tmp_path: Path, lines: str) -> None:
    """A read of 0x40, then a write of 0x1000, in every form."""
    path = tmp_path / "requests.txt"
    path.write_bytes(lines.encode())
    offered = read_requests(path, 64)
    assert offered.requests == [(0, 0x40), (1, 0x1000)]
    assert offered.clocks in ([], [5, 5])


@pytest.mark.parametrize("lines", ["0x40 READ 1\nR 0x80\n", "R 0x40\n2: read 0x80\n"])
def test_a_line_without_clock_among_clocked_ones_is_named(tmp_path: Path, lines: str) -> None:
    """Dropping the clocks of the others would measure something else."""
    path = tmp_path / "requests.txt"
    path.write_text(lines)
    with pytest.raises(ConfigError, match=r"line 2: (no|a) clock, unlike the lines before it"):
        read_requests(path, 64)


@pytest.mark.parametrize("line", ["R", "X 0x40", "0x40 READ -1", "0x40 READ 2\n0x40 READ 1"])
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: str) -> None:
    """The message gives the file, the line and what was expected."""
    path = tmp_path / "requests.txt"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match=r"line [12]: expected"):
        read_requests(path, 64)
