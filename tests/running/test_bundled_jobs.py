"""The bundled jobs on the default chip: they end well, use the chip, and every ps is accounted."""

import csv
import itertools
import json

import numpy as np
import pytest
from ruamel.yaml import YAML

import tlm.trace
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.running.runner import RunResult
from tlm.space.phase import ENGINE_OF_PHASE, ENGINES, Phase
from tlm.trace.schema import EngineState
from tlm.trace.summary_file import as_json


def test_a_run_ends_ok_and_leaves_its_files(finished: RunResult) -> None:
    """All invariants hold, and the folder holds what the design says a run leaves."""
    assert finished.summary.status == "ok", finished.summary.broken
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        *("manifest.json", "config.resolved.yaml", "mapping.yaml", "summary.json"),
        *("stats.csv", "energy.csv", "trace.h5"),
    }
    manifest = json.loads((finished.folder / "manifest.json").read_text())
    assert manifest["status"] == "ok"
    assert json.loads((finished.folder / "summary.json").read_text()) == as_json(finished.summary)


def test_at_least_sixteen_cores_work(finished: RunResult) -> None:
    """The split of every job keeps at least 16 of the 20 cores computing.

    But for mnist-fc: the mapper's estimate takes the time that DRAM needs for all phases as what
    bounds it, and 8 slices of channels, which move fewer bytes than more do.
    """
    engines = finished.summary.engines
    least = 8 if finished.summary.workload.name == "mnist-fc" else 16
    assert engines["fp"].cores_computing >= least
    assert engines["wg"].cores_computing >= least


def test_engine_time_has_no_unexplained_rest(finished: RunResult) -> None:
    """Recorded intervals tile every engine's time from 0 to the end, without gap or overlap."""
    end = finished.summary.time.makespan_ps
    with tlm.trace.open(finished.folder) as trace:
        engines = [i for kind in ("fp", "bp", "wg") for i in trace.unit_ids(kind)]
        for unit in engines:
            rows = trace.activity[trace.activity["unit"] == unit]
            assert rows["begin"][0] == 0
            assert rows["end"][-1] == end
            assert np.array_equal(rows["begin"][1:], rows["end"][:-1])
            assert (rows["end"] > rows["begin"]).all()
    for row in finished.summary.engines.values():
        assert abs(row.shares["unaccounted"]) < 1e-9


def test_every_required_pair_is_in_the_trace(finished: RunResult) -> None:
    """Every (phase, layer, sample, step) that is due has been computed, by the trace alone."""
    prepared = prepare(RunRequest(finished.workload.name))
    seen: set[tuple[int, int, int, int]] = set()
    with tlm.trace.open(finished.folder) as trace:
        computed = trace.activity[trace.activity["what"] == EngineState.COMPUTE]
        for row in np.unique(
            computed[["phase", "layer", "sample", "samples", "step", "steps"]]
        ).tolist():
            phase, layer, sample, samples, step, steps = row
            seen |= {
                (phase, layer, b, t)
                for b in range(sample, sample + samples)
                for t in range(step, step + steps)
            }
    due = {
        (int(phase), layer, *pair)
        for (phase, layer), pairs in prepared.due.results.items()
        for pair in pairs
    }
    assert due <= seen


def test_summary_counters_equal_those_of_the_trace(finished: RunResult) -> None:
    """The summary never reads the trace, so the two can be held against each other, exactly."""
    summary = finished.summary
    with tlm.trace.open(finished.folder) as trace:
        moved = trace.transactions
        for command, nbytes in ((0, summary.dram.bytes_read), (1, summary.dram.bytes_written)):
            assert moved["nbytes"][moved["command"] == command].sum() == nbytes
        messages = moved["nbytes"][moved["command"] >= 2].sum()
        assert messages == summary.noc.message_bytes
        assert len(moved) == summary.noc.transactions
        end = summary.time.makespan_ps
        reasons = list(next(iter(summary.engines.values())).shares)
        for kind, row in summary.engines.items():
            mine = trace.activity[np.isin(trace.activity["unit"], trace.unit_ids(kind))]
            for what in EngineState:
                spent = int((mine["end"] - mine["begin"])[mine["what"] == what].sum())
                cores = summary.chip.cores
                assert row.shares[reasons[what]] == spent / (end * cores)
        period = finished.chip.config.core.period_ps
        for phase in Phase:
            busy = trace.activity[
                (trace.activity["what"] == EngineState.COMPUTE) & (trace.activity["phase"] == phase)
            ]
            cycles = sum(
                phases[phase.name.lower()].cycles
                for phases in summary.work.values()
                if phase.name.lower() in phases
            )
            assert int((busy["end"] - busy["begin"]).sum()) == cycles * period


PASSES = (
    (Phase.FP, Phase.NORM),
    (Phase.RECOMPUTE,),
    (Phase.LOSS, Phase.GRAD, Phase.BP, Phase.NORM_GRAD),
    (Phase.WG,),
    (Phase.REDUCE, Phase.UPDATE),
)


def test_only_waits_after_the_first_tile_of_a_pass_are_dependencies(finished: RunResult) -> None:
    """Engine by engine, from the trace; layer by layer BP and WG wait for FP first."""
    end = finished.summary.time.makespan_ps
    with tlm.trace.open(finished.folder) as trace:
        rows = trace.activity
        units = [unit for kind in ENGINES for unit in trace.unit_ids(kind)]
        for unit, phases in itertools.product(units, PASSES):
            mine = rows[(rows["unit"] == unit) & np.isin(rows["phase"], phases)]
            first = mine["begin"][mine["what"] == EngineState.COMPUTE].min(initial=end)
            before = mine["end"] <= first
            assert (mine["what"] != EngineState.STALL_DEPENDENCY)[before].all()
            assert (mine["what"] != EngineState.NOT_BEGUN)[~before].all()
        later = rows[~np.isin(rows["unit"], trace.unit_ids("fp"))]
        phases = finished.summary.time.phases
        depends = later["begin"][later["what"] == EngineState.STALL_DEPENDENCY]
        assert (depends >= phases["loss"].begin_ps).all()
        waits = later[~np.isin(later["what"], (EngineState.COMPUTE, EngineState.IDLE))]
        time_ps = np.maximum(0, np.minimum(waits["end"], phases["loss"].begin_ps) - waits["begin"])
        not_begun_ps = time_ps[waits["what"] == EngineState.NOT_BEGUN].sum()
        assert not_begun_ps >= 0.999 * time_ps.sum() > 0


def test_a_tile_waits_for_other_work_first_and_only_then_for_what_is_on_its_way(
    finished: RunResult,
) -> None:
    """A result cannot be what holds a tile up while other work that it needs is not even done."""
    other_work = (EngineState.STALL_DEPENDENCY, EngineState.NOT_BEGUN)
    with tlm.trace.open(finished.folder) as trace:
        rows = trace.activity[np.lexsort((trace.activity["begin"], trace.activity["unit"]))]
        before, after = rows[:-1], rows[1:]
        same = (before["unit"] == after["unit"]) & (before["task"] == after["task"])
        assert same.any()
        assert not np.isin(after["what"][same], other_work).any()


def test_dependencies_end_where_the_work_that_they_name_ends(finished: RunResult) -> None:
    """No engine was waited for longer than the waits that end with a tile of it, by the trace."""
    summary = finished.summary
    layers = {layer.name: layer.index for layer in finished.workload.layers}
    named = [(stall, work) for stall in summary.stalls for work in stall.awaited]
    assert named
    with tlm.trace.open(finished.folder) as trace:
        rows, paths = trace.activity, [unit.path for unit in trace.units]
        for stall, work in named:
            phase = Phase[work.phase.upper()]
            unit = paths.index(f"chip.core{work.core:02d}.{ENGINE_OF_PHASE[phase]}")
            assert phase.name.lower() in summary.work[work.layer]
            waits = rows[rows["what"] == EngineState.STALL_DEPENDENCY]
            waits = waits[waits["phase"] == Phase[stall.phase.upper()]]
            waits = waits[waits["layer"] == layers[stall.layer]]
            ended = waits[np.isin(waits["end"], rows["end"][rows["unit"] == unit])]
            time_ps = summary.time.makespan_ps * summary.chip.cores * len(ENGINES)
            share = (ended["end"] - ended["begin"]).sum() / time_ps
            assert 0 < work.core_share <= min(work.share, share + 1e-12)
            assert work.share <= stall.share + 1e-12


def test_transactions_pass_their_four_phases_in_order(finished: RunResult) -> None:
    """begin_req <= end_req <= begin_resp <= end_resp for every payload."""
    with tlm.trace.open(finished.folder) as trace:
        rows = trace.transactions
        assert (rows["begin_req"] <= rows["end_req"]).all()
        assert (rows["end_req"] <= rows["begin_resp"]).all()
        assert (rows["begin_resp"] <= rows["end_resp"]).all()
        assert len(np.unique(rows["id"])) == len(rows)


def test_energy_file_adds_up_to_the_summary(finished: RunResult) -> None:
    """energy.csv, multiplied out again, gives the summary's total, leakage apart."""
    with (finished.folder / "energy.csv").open() as file:
        rows = list(csv.DictReader(file))
    totals = [int(row["count"]) * float(row["pj_each"]) for row in rows]
    assert sum(totals) == pytest.approx(finished.summary.energy.total_pj, rel=1e-12)
    assert all(row["source"] for row in rows)


def test_mapping_file_tells_nest_split_and_addresses(finished: RunResult) -> None:
    """mapping.yaml names every layer's slices and nests, and tensors that do not overlap."""
    document = YAML(typ="safe").load((finished.folder / "mapping.yaml").read_text())
    assert len(document["layers"]) == len(finished.workload.layers)
    derived = document["derived"]
    assert all(layer["nest"]["fp"] for layer in derived["layers"])
    spans = sorted((t["address"], t["bytes"]) for t in derived["dram"]["tensors"].values())
    for (start, nbytes), (following, _) in itertools.pairwise(spans):
        assert start + nbytes <= following


def test_bytes_by_tensor_add_up_to_what_the_dmas_moved(finished: RunResult) -> None:
    """Every byte to and from DRAM belongs to one tensor; counted from tiles, and from packets."""
    dram = finished.summary.dram
    assert sum(dram.read_by_tensor.values()) == dram.bytes_read
    assert sum(dram.written_by_tensor.values()) == dram.bytes_written
    assert {"X", "S", "m"} <= set(dram.read_by_tensor)
    rows = [row for phases in dram.by_layer.values() for row in phases.values()]
    assert sum(tensor.read for row in rows for tensor in row.values()) == dram.bytes_read
    assert sum(tensor.written for row in rows for tensor in row.values()) == dram.bytes_written
    assert dram.nbytes >= dram.least
