"""Exports: what other tools would read is what the run did."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tlm.trace
from tlm.cli import main
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import read_requests
from tlm.running.runner import run_job
from tlm.trace.chip import chip_of
from tlm.trace.packets import link_nbytes, packets


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
        load = (offered.requests, DramLoad(), None, offered.nbytes, offered.clocks)
        counters.append(drive(timing, *load).counters)
    assert sum(c.reads for c in counters) == dram["bursts_read"]
    assert sum(c.writes for c in counters) == dram["bursts_written"]
    hits = sum(c.row_hits for c in counters) / sum(c.reads + c.writes for c in counters)
    assert hits == pytest.approx(dram["row_hit_rate"], abs=0.001)


def test_ramulator_lines_are_the_same_bursts_without_times(run: Path, tmp_path: Path) -> None:
    """Both formats name the same bytes in the same order; one has no clocks."""
    export(run, tmp_path, "--dram-requests", "dramsim3")
    export(run, tmp_path, "--dram-requests", "ramulator2")
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
    spans, flows = Counter[tuple[int, int]](), Counter[int]()
    for packet in timeline.packet:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            exact = {a.name: a.int_value for a in event.debug_annotations}
            if exact:
                assert packet.timestamp == exact["begin_ps"] // 1000
                spans[exact["begin_ps"], exact["end_ps"]] += 1
            open_slices.setdefault(event.track_uuid, []).append(packet.timestamp)
            flows.update(event.flow_ids)
        elif event.type == event.TYPE_SLICE_END:
            assert open_slices[event.track_uuid].pop() <= packet.timestamp
    assert not any(open_slices.values())
    assert flows and min(flows.values()) >= 2
    with tlm.trace.open(run) as trace:
        rows = trace.activity[trace.activity["what"] != 5]
        recorded = zip(rows["begin"].tolist(), rows["end"].tolist(), strict=True)
        assert spans == Counter(recorded)


def test_nothing_asked_for_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a format there is nothing to write, and the line names the formats."""
    assert main(["export", str(run)]) == 2
    assert "--perfetto" in capsys.readouterr().err


def test_requests_need_a_trace_with_transactions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run recorded at level phase says what to do about it."""
    folder = run_job("mnist-fc", out=tmp_path / "phase", trace="phase").folder
    assert main(["export", str(folder), "--noc-messages"]) == 2
    assert "--trace transaction" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["R", "X 0x40", "0x40 READ -1", "0x40 READ 2\n0x40 READ 1"])
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: str) -> None:
    """The message gives the file, the line and what was expected."""
    path = tmp_path / "requests.txt"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match=r"line [12]: expected"):
        read_requests(path, 64)
