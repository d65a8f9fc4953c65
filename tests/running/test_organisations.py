"""Whole runs with weights in an organisation: what zeros spare, and what knows of none."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tlm.errors import TlmError
from tlm.running.runner import run_job
from tlm.trace.summary import Summary
from tlm.trace.summary_file import as_json
from tlm.workload import open_workload

DIGITS = open_workload("digits")
SPILL = "mapping.parameters=spill"
MOMENT_B = 4


@cache
def summary(organisation: str, weights: str = "dense", *more: str) -> Summary:
    """Digits on a core with its weights in DRAM; every law must hold."""
    overrides = [f"core.weights.organisation={organisation}", SPILL, *more]
    with TemporaryDirectory() as folder:
        run = run_job(
            DIGITS, chip="neuromc-1", overrides=overrides, out=Path(folder) / "run", trace="off",
            weights=weights,
        )  # fmt: skip
        assert run.ok, run.summary.broken
        return run.summary


@pytest.mark.parametrize("organisation", ["pb-bmp", "pb-csr"])
def test_fewer_weights_take_less_of_everything(organisation: str) -> None:
    """Time, energy, DRAM bytes, slots and operations fall with the density."""
    runs = [summary(organisation, rule) for rule in ("dense", "magnitude=0.4", "magnitude=0.1")]
    for more, fewer in pairwise(runs):
        assert fewer.time.makespan_ps < more.time.makespan_ps
        assert fewer.energy.total_pj < more.energy.total_pj
        assert fewer.dram.nbytes < more.dram.nbytes
        for phase, work in fewer.work["conv1"].items():
            assert work.useful_macs <= more.work["conv1"][phase].useful_macs
            assert work.executed_slots <= more.work["conv1"][phase].executed_slots
            assert work.dense_macs == more.work["conv1"][phase].dense_macs


def test_moments_are_those_of_stored_weights() -> None:
    """Both moments of every weight that is left come once and go once; a crossbar's of all."""
    sizes = [prod(layer.weight_shape) for layer in DIGITS.layers]
    biases = sum(layer.out_shape[0] for layer in DIGITS.layers if layer.bias)
    pruned, whole = summary("pb-bmp", "magnitude=0.25"), summary("crossbar")
    kept = sum(round(size / 4) for size in sizes)
    for run, count in ((pruned, kept), (whole, sum(sizes))):
        assert run.dram.read_by_tensor["moments"] == 2 * MOMENT_B * (count + biases)
        assert run.dram.written_by_tensor["moments"] == 2 * MOMENT_B * (count + biases)


def test_a_crossbar_knows_of_no_zero() -> None:
    """A pruned job runs on it as the whole one does, to the last figure."""
    whole, pruned = (as_json(summary("crossbar", rule)) for rule in ("dense", "magnitude=0.1"))
    del pruned["weights"]
    assert pruned == whole


def test_dropped_rows_and_tiles_are_passed_over() -> None:
    """Half of the tiles take about half of the slots of FP, half of the rows half of its work."""
    whole, tiles, rows = (summary("pb-bmp", rule) for rule in ("dense", "tiles=0.5", "rows=0.5"))
    every, some, half = (run.work["conv1"]["fp"] for run in (whole, tiles, rows))
    assert some.executed_slots < 0.6 * every.executed_slots
    assert 2 * half.useful_macs == every.useful_macs


def test_rewiring_costs_bytes_of_the_tables() -> None:
    """Moved synapses rewrite their share of the tables, weights alone do not."""
    fixed, rewired = (
        summary("pb-csr", "density=0.3", *more) for more in ((), ("core.weights.rewired=0.5",))
    )
    for table in ("index", "reverse"):
        assert table not in fixed.dram.written_by_tensor
        assert rewired.dram.written_by_tensor[table] > 0
    assert rewired.dram.written_by_tensor["W"] == fixed.dram.written_by_tensor["W"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["core.weights.organisation=2:4"], "run with --weights 2:4"),
        (["core.weights.organisation=pb-map"], "core.weights.organisation"),
        (["core.weights.layers=[conv9=pb-bmp]"], "core.weights.layers: no layer conv9"),
        (
            ["core.weights.organisation=pb-bmp", "core.engines.fp.dataflow=output"],
            "core.engines.fp.dataflow=weight",
        ),
        (
            ["core.weights.organisation=pb-csr", "core.memory.weights=9 Kib"],
            "two tiles of 457 words",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(overrides: list[str], words: str, tmp_path: Path) -> None:
    """One line with the key, and nothing is left behind."""
    with pytest.raises(TlmError) as error:
        run_job(DIGITS, chip="neuromc-1", overrides=overrides, out=tmp_path / "run", trace="off")
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
