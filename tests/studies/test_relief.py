"""Relief changes one thing, and what it gains is what a run with that change shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tlm.config import load_chip
from tlm.config.tables.dram_timing import DEVICE_FOLDER, load_dram_timing
from tlm.errors import TraceError
from tlm.running.preparation import PreparedRun, prepare
from tlm.running.repeat import prepare_recorded
from tlm.running.request import RunRequest
from tlm.running.runner import run_job
from tlm.space.phase import ENGINES
from tlm.studies.relief import PLANNED_ANEW, RESOURCES, relieve, settings, spread_nodes
from tlm.studies.relief_gains import ResourceGain, relief_gains
from tlm.trace.summary import Summary

OWN_CLOCKS = "core.clocks=['0-3: 400 MHz', '7: 250 MHz']"
CHIPS = {
    "as it is": (),
    "slower cores": (OWN_CLOCKS, "dram.model=ideal"),
    "routers": ("noc.model=router", "dram.channels=3", "dram.nodes=[0,0,7]", "energy=cacti28"),
}


def steps(_: str) -> None:
    """Told of a step, does nothing."""


def run_and_gains(
    job: str, chip: tuple[str, ...], folder: Path
) -> tuple[Summary, list[ResourceGain]]:
    """A run without a trace, and what relief of it gains."""
    summary = run_job(job, overrides=chip, out=folder, trace="off").summary
    return summary, relief_gains(prepare_recorded(folder, None), summary.time.makespan_ps, steps)


def check_gains(job: str, chip: tuple[str, ...], place: Path) -> None:
    """Every relief that keys can set, beside a run with these keys and the same mapping."""
    base, gains = run_and_gains(job, chip, place / "base")
    assert [gain.time_saved for gain in gains] == sorted(
        (gain.time_saved for gain in gains), reverse=True
    )
    settable = {gain.resource: gain for gain in gains if gain.settings}
    assert set(settable) == {"noc", "dma", *PLANNED_ANEW}
    for name, gain in settable.items():
        run = run_job(
            job,
            overrides=[*chip, *gain.settings],
            mapping=place / "base" / "mapping.yaml",
            out=place / name,
            trace="off",
        ).summary
        assert gain.time_saved == 1 - run.time.makespan_ps / base.time.makespan_ps
        assert gain.energy_change == run.energy.total_pj / base.energy.total_pj - 1


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
def test_a_gain_is_that_of_a_run_with_the_changed_keys(
    chip: tuple[str, ...], tmp_path: Path
) -> None:
    """To the picosecond and to the last bit of the energy."""
    check_gains("digits", chip, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("job", ["mnist-fc", "mnist-fc-t25", "mnist-csnn", "nmnist-cnn"])
def test_so_it_is_for_larger_jobs(job: str, tmp_path: Path) -> None:
    """The same for other bundled jobs."""
    check_gains(job, (), tmp_path)


def test_relief_of_dram_is_a_device_with_a_clock_twice_as_fast(tmp_path: Path) -> None:
    """No key does it, a device's file does; the price of a command is that of the device."""
    base, gains = run_and_gains("digits", (), tmp_path / "base")
    device = load_chip("neuromc-20").config.dram.device
    text = (DEVICE_FOLDER / f"{device}.yaml").read_text()
    tck_ps = load_dram_timing(device).tck_ps // 2
    faster = tmp_path / "faster.yaml"
    faster.write_text(re.sub(r"^tck: .*", f"tck: {tck_ps} ps", text, flags=re.M))
    run = run_job(
        "digits",
        overrides=[f"dram.device={faster}"],
        mapping=tmp_path / "base" / "mapping.yaml",
        out=tmp_path / "faster",
        trace="off",
    ).summary
    (gain,) = (gain for gain in gains if gain.resource == "dram")
    assert gain.time_saved == 1 - run.time.makespan_ps / base.time.makespan_ps != 0


def test_engines_twice_as_fast_save_time_but_no_work(tmp_path: Path) -> None:
    """FP engines, all that inference has, gain most of it where nothing else holds it up."""
    folder = tmp_path / "run"
    summary = run_job("mnist-fc", mode="inference", out=folder, trace="off").summary
    prepared = prepare_recorded(folder, None)
    gains = relief_gains(prepared, summary.time.makespan_ps, steps)
    assert {gain.resource for gain in gains} == set(RESOURCES) - {"bp", "wg"}
    (fp,) = (gain for gain in gains if gain.resource == "fp")
    assert 0 < fp.time_saved < 0.5 and not fp.settings and not fp.planned_anew
    assert relieve(prepared, "fp").due is prepared.due


def test_a_run_that_takes_another_time_than_recorded_is_refused() -> None:
    """By one picosecond: it was another program that ran then."""
    prepared = prepare(RunRequest("mnist-fc"))
    with pytest.raises(TraceError, match="and not the 1 recorded; run it anew"):
        relief_gains(prepared, 1, steps)


def halved(prepared: PreparedRun, engine: str) -> list[int]:
    """Cycles of an engine's tiles, halved and rounded up."""
    return [-(-tile.cycles // 2) for core in prepared.program.tiles for tile in core[engine]]


def test_relief_changes_one_thing_only() -> None:
    """A relieved run keeps its program, or its chip: never both change."""
    prepared = prepare(RunRequest("digits"))
    for resource in RESOURCES:
        relieved = relieve(prepared, resource)
        if resource in ENGINES:
            assert relieved.chip is prepared.chip
            assert relieved.program.completions is prepared.program.completions
            cycles = [t.cycles for core in relieved.program.tiles for t in core[resource]]
            assert cycles == halved(prepared, resource)
        elif resource not in PLANNED_ANEW:
            assert relieved.program is prepared.program
    assert relieve(prepared, "noc").chip.config.noc.link == 2 * prepared.chip.config.noc.link


@pytest.mark.parametrize("resource", ["noc", "dma", "channels", "nodes", "memory"])
@pytest.mark.parametrize("overrides", [("mesh.columns=8", "mesh.rows=8", "cores=64"),
                                       ("dram.channels=3", "dram.nodes=[0,0,7]")])  # fmt: skip
def test_what_is_named_to_be_set_is_what_was_tried(
    resource: str, overrides: tuple[str, ...]
) -> None:
    """The relieved chip is the run's own with these values, whatever it was before."""
    prepared = prepare(RunRequest("digits", overrides=overrides))
    named = settings(resource, prepared.chip.config)
    asked = load_chip("neuromc-20", [*overrides, *named]).config
    relieved = relieve(prepared, resource).chip.config
    assert named
    assert relieved.model_copy(update={"name": asked.name}) == asked


def test_more_and_other_channels_keep_every_slice_where_it_was() -> None:
    """Two channels at every node, or nodes whose rows and columns are their own."""
    overrides = ("mesh.columns=8", "mesh.rows=8", "cores=64")
    prepared = prepare(RunRequest("digits", overrides=overrides))
    config = prepared.chip.config
    doubled = relieve(prepared, "channels").chip.config
    assert doubled.dram.channels == 8 and doubled.dram_nodes == 2 * config.dram_nodes
    moved = relieve(prepared, "nodes")
    assert moved.chip.config.dram_nodes == spread_nodes(config) == (11, 31, 41, 61)
    rows_and_columns = [divmod(node, 8) for node in spread_nodes(config)]
    assert all(len(set(places)) == 4 for places in zip(*rows_and_columns, strict=True))
    assert [layer_plan.cut.grid for layer_plan in moved.plan.layers] == [
        layer_plan.cut.grid for layer_plan in prepared.plan.layers
    ]


def test_larger_memories_keep_every_slice_where_it_was() -> None:
    """Capacities double, and so does what an access costs by the table; cuts and cores stay."""
    prepared = prepare(RunRequest("digits", overrides=("energy=cacti28",)))
    relieved = relieve(prepared, "memory")
    before, after = prepared.chip.config.core.memory, relieved.chip.config.core.memory
    assert after.spikes == 2 * before.spikes and after.banks == before.banks
    assert [layer_plan.cut.grid for layer_plan in relieved.plan.layers] == [
        layer_plan.cut.grid for layer_plan in prepared.plan.layers
    ]
    assert relieved.chip.energy.pj("fp", "weight_read") > prepared.chip.energy.pj(
        "fp", "weight_read"
    )
