"""The replay: exact where nothing is simplified, within its bound where something is."""

from __future__ import annotations

import pytest
from tlm_analysis.replay import BOUND, TRUSTED_ERROR, GainEstimate, ReplayChip, replay_ps

from tlm.config import load_chip
from tlm.running.preparation import PreparedRun, prepare
from tlm.running.request import RunRequest
from tlm.space.phase import ENGINES
from tlm.studies.relief import RESOURCES, knob, relieve, settings, simulate, spread_nodes

OWN_CLOCKS = "core.clocks=['0-3: 400 MHz', '7: 250 MHz']"
JOBS = ("mnist-fc", "mnist-fc-t25", "mnist-csnn", "mnist-csnn-tri", "nmnist-cnn")


def replayed_ps(prepared: PreparedRun) -> int:
    cores = [[tiles[engine] for engine in ENGINES] for tiles in prepared.program.tiles]
    chip = ReplayChip(prepared.chip.config, prepared.timing)
    return replay_ps(cores, prepared.program.completions.counts, chip)


@pytest.mark.parametrize(
    ("resource", "chip"),
    [
        ("", ()),
        ("noc", ()),
        ("fp", ()),
        ("memory", ()),
        ("", (OWN_CLOCKS,)),
        ("noc", (OWN_CLOCKS,)),
        ("", ("noc.clock=1 GHz",)),
        ("", (OWN_CLOCKS, "noc.synchroniser=0 cycles")),
    ],
)
def test_with_ideal_memory_the_replay_is_the_simulator(
    resource: str, chip: tuple[str, ...]
) -> None:
    """Engines, DMA, mesh and clock domains agree to the ps; only the controller is simplified."""
    prepared = prepare(RunRequest("digits", overrides=("dram.model=ideal", *chip)))
    prepared = relieve(prepared, resource) if resource else prepared
    assert replayed_ps(prepared) == simulate(prepared, resource in ENGINES).makespan_ps


def check_estimates(name: str, *chip: str) -> None:
    prepared = prepare(RunRequest(name, overrides=chip))
    run_ps, base_ps = simulate(prepared).makespan_ps, replayed_ps(prepared)
    assert abs(base_ps / run_ps - 1) < TRUSTED_ERROR
    estimated, measured = {}, {}
    for resource in RESOURCES:
        relieved = relieve(prepared, resource)
        estimate = GainEstimate(
            resource, knob(resource, prepared.chip.config), 1 - replayed_ps(relieved) / base_ps
        )
        estimated[resource] = estimate.gain
        measured[resource] = 1 - simulate(relieved, resource in ENGINES).makespan_ps / run_ps
        assert estimate.holds(measured[resource]), (resource, estimate.gain, measured[resource])
    assert max(estimated, key=estimated.__getitem__) == max(measured, key=measured.__getitem__)


def test_what_relief_gains_lies_in_the_bound_and_the_first_named_gains_most() -> None:
    """On the smallest prepared: every resource doubled, estimated, and run."""
    assert BOUND <= 0.05  # ten points from end to end
    check_estimates("digits")


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_estimates_hold_for_the_other_jobs(name: str) -> None:
    """The same for larger bundled jobs."""
    check_estimates(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist-csnn"])
def test_estimates_hold_where_cores_have_clocks_of_their_own(name: str) -> None:
    """The same with slower cores among the others, and synchronisers between."""
    check_estimates(name, OWN_CLOCKS)


def test_relief_changes_one_thing_only() -> None:
    """A relieved prepared keeps its program, or its chip: never both change."""
    prepared = prepare(RunRequest("digits"))
    for resource in RESOURCES:
        relieved = relieve(prepared, resource)
        if resource in ENGINES:
            assert relieved.chip is prepared.chip
            assert relieved.program.completions is prepared.program.completions
        elif resource not in ("memory", "channels", "nodes"):  # these are planned anew
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
